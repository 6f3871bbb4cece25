"""The request's body, read whole, or the reason why it cannot be."""

import contextlib
from typing import Any, Final

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge

from webhooks.errors import Coded, Unreadable
from webhooks.web.shared import slots

_BEGINNING_BYTES: Final = 8 << 10


def is_streamed() -> bool:
    """Whether the request's body is long, and is read while it arrives. Our own server says so."""
    return bool(request.environ.get("spoke.body_to_come"))


def read_body(limit: int) -> bytes:
    """Read the request's body, of at most ``limit`` bytes.

    Not by Werkzeug: it takes a chunked body that is too long, or that broke off, for a shorter one.

    Raises:
        RequestEntityTooLarge: it is longer. Unreadable: it broke off, or its chunks are malformed.
        TooSlow: it did not arrive in time. NoCapacity: too many long bodies are arriving already.
    """
    announced = request.content_length
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    if announced is not None and announced > limit:
        raise RequestEntityTooLarge(f"The body is longer than {limit:,} bytes.")
    with slots.bodies.take() if is_streamed() else contextlib.nullcontext():
        try:
            data = _read(request.environ["wsgi.input"], limit + 1)
        except OSError as error:
            raise Unreadable(f"The body could not be read: {type(error).__name__}.") from None
    remember(data)
    if len(data) > limit:
        raise RequestEntityTooLarge(f"The body is longer than {limit:,} bytes.")
    if announced is not None and len(data) < announced:
        raise Unreadable(f"The body broke off: {len(data):,} of {announced:,} bytes arrived.")
    return data


def remember(body: bytes) -> None:
    """Keep the beginning of a body that was read, in case that it is refused."""
    g.body_beginning = body[:_BEGINNING_BYTES]


def beginning() -> bytes:
    """Return the beginning of the request's body; of a form with a file what was remembered of it.

    What was not read before is read now, if it is there whole, so that nobody waits for it.
    """
    announced = request.content_length
    to_come = is_streamed() or request.mimetype == "multipart/form-data"
    if (
        "body_beginning" not in g
        and not to_come
        and (announced or request.environ.get("wsgi.input_terminated"))
    ):
        with contextlib.suppress(OSError):
            remember(
                _read(request.environ["wsgi.input"], min(announced or _BEGINNING_BYTES, _BEGINNING_BYTES))
            )
    read: bytes = g.get("body_beginning", b"")
    return read


def refuse_coded() -> None:
    """Raise Coded for a compressed body."""
    codings = {coding.strip().lower() for coding in request.headers.get("Content-Encoding", "").split(",")}
    if codings - {"", "identity"}:
        raise Coded("The body has a Content-Encoding: send it without compression.")


def _read(stream: Any, limit: int) -> bytes:
    pieces: list[bytes] = []
    left = limit
    while left > 0:
        piece = stream.read(left)
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
