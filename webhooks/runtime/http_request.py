"""Requests as they arrive: waitress's parser, stricter, and bodies that are readable while they come."""

import io
import re
import threading
from collections.abc import Callable
from typing import Any, Final

from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

from webhooks.errors import TooSlow, Unreadable

SHORT_BYTES: Final = 1 << 16  # a body up to this size is complete before a thread gets the request
READ_SECONDS: Final = 30.0  # that a thread waits for the next piece of a longer body
_AHEAD_BYTES: Final = 1 << 18  # of a longer body that the loop reads ahead of the thread
_FIELDS: Final = 200
_LINE_BYTES: Final = 1024  # of a chunk's size with its extensions
_TRAILER_BYTES: Final = 8192
_FOLD: Final = re.compile(rb"\r\n[ \t]")
_CODING: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r]*?)[ \t]*(?=\r)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length:", re.IGNORECASE)
_HOST: Final = re.compile(rb"\r\nhost:", re.IGNORECASE)


class Body(io.RawIOBase):
    """``wsgi.input``: the server's loop appends pieces, one thread reads them and waits for more."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()
        self._came = 0
        self._ended = False
        self._fault = ""
        self._news = threading.Condition(threading.Lock())
        self.wanted: Callable[[], None] | None = None  # called before the first read
        self.taken: Callable[[], None] | None = None  # called when a full buffer has room again

    def __len__(self) -> int:
        return self._came

    @property
    def full(self) -> bool:
        return len(self._held) >= _AHEAD_BYTES

    def append(self, piece: bytes) -> None:
        with self._news:
            self._held += piece
            self._came += len(piece)
            self._news.notify()

    def end(self, fault: str = "") -> None:
        """Mark the body's end. ``fault`` says why it is incomplete, if it is."""
        with self._news:
            self._ended, self._fault = True, fault
            self._news.notify()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; wait if there is nothing.

        Raises:
            TooSlow: nothing came for READ_SECONDS. Unreadable: the body broke off, or its chunks are broken.
        """
        if self.wanted and not self._ended:
            self.wanted()
            self.wanted = None
        with self._news:
            if not self._news.wait_for(lambda: self._held or self._ended, READ_SECONDS):
                raise TooSlow(f"Nothing came for {READ_SECONDS:.0f} seconds; send it again.")
            if self._fault:
                raise Unreadable(f"The body {self._fault}; send it again, whole.")
            was_full = self.full
            count = min(len(buffer), len(self._held))
            buffer[:count] = self._held[:count]
            del self._held[:count]
        if was_full and not self.full and self.taken:
            self.taken()
        return count

    # waitress' interface of a buffer.
    def getfile(self) -> "Body":
        return self

    def getbuf(self) -> "Body":
        return self


class _Chunks(ChunkedReceiver):  # type: ignore[misc]  # waitress has no types
    """waitress' parser of chunks, with a limit on bytes that are no data."""

    def received(self, piece: bytes) -> int:
        count: int = super().received(piece)
        if len(self.control_line) > _LINE_BYTES or len(self.trailer) > _TRAILER_BYTES:
            self.error = BadRequest("A chunk's size or the trailer is too long.")
        return count


class Request(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """A request. Ambiguous ones are refused: folded lines, a length beside a coding, two hosts."""

    path = ""
    body_rcv: Any
    error: Any
    body: Body | None = None
    handed = False  # to a thread
    early = False  # handed over before the body was complete

    def parse_header(self, head: bytes) -> None:
        codings = _CODING.findall(head)
        if not head.partition(b"\r\n")[0].isascii():  # RFC 3986, section 2: all else is percent-encoded
            raise ParsingError("The address has characters that are not percent-encoded.")
        if _FOLD.search(head):
            raise ParsingError("A header is folded over two lines.")
        if head.count(b"\r\n") > _FIELDS:
            raise ParsingError(f"There are more than {_FIELDS} header fields.")
        if len(_HOST.findall(head)) > 1:
            raise ParsingError("Host is there twice.")
        if codings and (len(codings) > 1 or _LENGTH.search(head)):
            raise ParsingError("The body's length is given in two ways.")
        if codings and codings[0].lower() != b"chunked":
            raise TransferEncodingNotImplemented("A transfer coding other than chunked.")
        super().parse_header(head)
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("The first line names no HTTP/1.0 or HTTP/1.1.")
        if codings and self.version == "1.0":
            raise ParsingError("HTTP/1.0 has no transfer codings.")
        if self.body_rcv is not None:
            self.body = Body()
            self.body_rcv.buf = self.body
            if self.chunked:
                self.body_rcv = _Chunks(self.body)

    @property
    def long(self) -> bool:
        """Whether a thread should get the request before its body is complete."""
        if not self.headers_finished or self.completed or self.body is None:
            return False
        asks = self.chunked and self.expect_continue  # length unknown: the application decides
        return bool(asks or max(self.content_length, self.body_bytes_received) > SHORT_BYTES)

    @property
    def open(self) -> bool:
        """Whether a thread has the request although its end, where the next would begin, is unknown."""
        return self.handed and (not self.completed or self.error is not None)

    def end(self, fault: str) -> None:
        """Mark the request as broken: no more of it comes."""
        self.error = BadRequest(f"The request {fault}.")
        self.completed = True
        if self.body is not None:
            self.body.end(fault)
