"""Reading a request's body whole, or saying what is wrong with it."""

import contextlib
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from webhooks.errors import Coded, Unreadable
from webhooks.web.shared import slots


def to_come() -> bool:
    """Whether the body of the present request is long, and read while it comes. Our own server says so."""
    return bool(request.environ.get("spoke.body_to_come"))


def read_body(limit: int) -> bytes:
    """The body of the present request, of at most ``limit`` bytes.

    Werkzeug's own reading takes a chunked body that is too long, and one that broke off, for a shorter one.

    Raises:
        RequestEntityTooLarge: it is longer. Unreadable: it broke off, or its chunks are none.
        TooSlow: it did not come. NoCapacity: too many long ones come already.
    """
    announced = request.content_length
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    if announced is not None and announced > limit:
        raise RequestEntityTooLarge(f"The body is longer than {limit:,} bytes.")
    with slots.bodies.one() if to_come() else contextlib.nullcontext():
        try:
            data = _read(request.environ["wsgi.input"], limit + 1)
        except OSError as error:
            raise Unreadable(f"The body could not be read: {type(error).__name__}.") from None
    if len(data) > limit:
        raise RequestEntityTooLarge(f"The body is longer than {limit:,} bytes.")
    if announced is not None and len(data) < announced:
        raise Unreadable(f"The body broke off: {len(data):,} of {announced:,} bytes came.")
    return data


def refuse_coded() -> None:
    """Raises Coded for a body that would have to be unpacked first."""
    codings = {coding.strip().lower() for coding in request.headers.get("Content-Encoding", "").split(",")}
    if codings - {"", "identity"}:
        raise Coded("The body has a Content-Encoding: send it as it is, without compression.")


def _read(stream: Any, most: int) -> bytes:
    pieces: list[bytes] = []
    left = most
    while left > 0:
        piece = stream.read(left)
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
