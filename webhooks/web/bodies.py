"""Reading a request's body whole, or saying what is wrong with it."""

import time
from typing import Any, Final

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import RequestEntityTooLarge

from webhooks.errors import Coded, Unreadable

_PATIENCE_SECONDS: Final = 2.0  # for a caller who still sends what nobody will read …
_PAUSE_SECONDS: Final = 0.2  # … and how long it may pause meanwhile
_PIECE: Final = 1 << 16


def read_body(limit: int) -> bytes:
    """The body of the present request, of at most ``limit`` bytes.

    Werkzeug's own reading takes a chunked body that is too long, and one that broke off, for a shorter one.

    Raises:
        RequestEntityTooLarge: it is longer. Unreadable: it broke off, or its chunks are none.
    """
    stream = request.environ["wsgi.input"]
    announced = request.content_length
    if announced is None and not request.environ.get("wsgi.input_terminated"):
        return b""
    try:
        data = b"" if announced is not None and announced > limit else _read(stream, limit + 1)
    except (ParseException, OSError) as error:
        raise Unreadable(f"The body could not be read: {type(error).__name__}.") from None
    if len(data) > limit or (announced is not None and announced > limit):
        let_finish(stream)
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


def let_finish(stream: Any) -> None:
    """Take in the rest for a while: who is answered in the middle of sending sees a broken connection."""
    sock = request.environ.get("gunicorn.socket")
    if sock is None:
        return
    until = time.monotonic() + _PATIENCE_SECONDS
    before = sock.gettimeout()
    sock.settimeout(_PAUSE_SECONDS)
    try:
        while time.monotonic() < until and stream.read(_PIECE):
            pass
    except (ParseException, OSError):
        return  # it paused, or went: gunicorn ends the connection
    finally:
        sock.settimeout(before)
