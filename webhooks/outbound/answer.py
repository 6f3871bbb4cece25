"""A receiver's answer, as it comes. Its status line decides; what is amiss behind that is told.

httptools parses, leniently: receivers are PHP, IIS and small boxes. What it refuses even so, ``salvage``
reads.
"""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from webhooks.errors import ConnectionFailed
from webhooks.outbound.connection import Connection
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import status_line_sentence
from webhooks.outbound.salvage import first_line, is_http, is_interim, salvage

HEAD_BYTES: Final = 256 << 10  # of a head, interim answers before it included

# What none of them can mislead here: nobody else's answers come over this connection.
_LENIENT: Final = {
    "lenient_headers": True,
    "lenient_chunked_length": True,
    "lenient_transfer_encoding": True,
    "lenient_version": True,
    "lenient_data_after_close": True,
    "lenient_optional_lf_after_cr": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_optional_crlf_after_chunk": True,
    "lenient_spaces_after_chunk_size": True,
}


class Answer:
    """Read over a connection that a request was sent over; ``raw`` of the Response.

    ``headers`` are pairs in the order in which they came. ``begun``: a byte of it has come.
    """

    def __init__(self, connection: Connection, deadline: Deadline) -> None:
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self._connection: Connection | None = connection
        self._deadline = deadline
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_LENIENT)
        self._seen = bytearray()  # up to the head's end
        self._body = bytearray()  # what came of it and was not handed out
        self._has_head = self._is_whole = self._keeps_open = self._has_surplus = False
        self._fault: Exception | None = None  # why nothing can be read behind this

    @property
    def begun(self) -> bool:
        return bool(self._seen)

    def values(self, name: str) -> list[str]:
        """The values of a header, by its name in small letters."""
        return [value for each, value in self.headers if each.lower() == name]

    def read_head(self) -> None:
        """Read up to the end of the headers, past interim answers.

        Raises:
            OSError, ConnectionFailed: no status line came, or none of HTTP.
        """
        ended_by: Exception | None = None
        try:
            while not self._has_head and not self._feed_head():
                pass
        except (OSError, ConnectionFailed) as error:
            ended_by = error
        if not self._has_head:
            self._salvage_head(ended_by)

    def read(self, amount: int = -1, decode_content: bool = False) -> bytes:
        """Wait for some of the body, as it came over the wire. Returns b"" at its end.

        Raises:
            OSError, ConnectionFailed: it breaks off, or what comes is no HTTP.
        """
        while not self._body and not self._is_whole:
            if self._fault is not None:
                raise self._fault
            self._feed_body()
        end = len(self._body) if amount < 0 else amount
        piece = bytes(self._body[:end])
        del self._body[:end]
        if not piece and self._is_whole:
            self.close()
        return piece

    def close(self) -> None:
        """Give the connection back if the answer has come whole, and nothing behind it; else close it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._is_whole and self._keeps_open and not self._has_surplus:
            connection.release()
        else:
            connection.close()

    def _receive(self) -> bytes:
        if self._connection is None:
            raise ConnectionFailed("The answer was closed before it was read.")
        return self._connection.receive(self._deadline)

    def _feed_head(self) -> bool:
        """Take what comes next. Returns whether a head that the parser refuses has come to its end."""
        data = self._receive()
        if not data:
            raise ConnectionResetError
        was_refused = self._fault is not None
        self._seen += data
        if len(self._seen) > HEAD_BYTES:
            raise ConnectionFailed(f"The receiver's headers are longer than {HEAD_BYTES:,} bytes.")
        if not was_refused:
            self._feed(data)
        if self._fault is None:
            return False
        tail = self._seen[-len(data) - 3 :]
        if was_refused and b"\n\r\n" not in tail and b"\n\n" not in tail:
            return False
        head = salvage(bytes(self._seen), ended=False)
        return not is_http(bytes(self._seen)) if head is None else head.whole

    def _salvage_head(self, ended_by: Exception | None) -> None:
        """Read what there is of a head that is not whole, or that the parser refuses."""
        seen = bytes(self._seen)
        head = salvage(seen, ended=isinstance(ended_by, ConnectionError))
        if head is None and self.begun and (ended_by is None or not is_http(seen)):
            raise ConnectionFailed(status_line_sentence(first_line(seen)))
        if head is None:
            raise ended_by or ConnectionResetError()
        self.status, self.reason, self.headers, _, body = head
        self._body += body
        self._fault = _told(ended_by) or self._fault
        self._has_head = True

    def _feed_body(self) -> None:
        try:
            data = self._receive()
        except OSError as error:
            self._fault = _told(error)
            return
        if data:
            self._feed(data)
        elif self.values("content-length") or self.values("transfer-encoding"):
            self._fault = _told(ConnectionResetError())
        else:
            self._is_whole = True  # its end is the connection's

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self._is_whole:
                self._has_surplus = True
            else:
                self._fault = ConnectionFailed(f"The receiver sent what is not valid HTTP ({error}).")

    # --- What the parser calls. ---

    def on_message_begin(self) -> None:
        self._has_surplus |= self._is_whole

    def on_status(self, reason: bytes) -> None:
        if not self._is_whole:
            self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # behind it, they are trailers
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._is_whole:
            return
        self.status = self._parser.get_status_code()
        self._has_head = not is_interim(self.status)

    def on_body(self, body: bytes) -> None:
        if not self._is_whole:
            self._body += body

    def on_message_complete(self) -> None:
        if self._has_head:
            self._keeps_open = self._keeps_open if self._is_whole else self._parser.should_keep_alive()
            self._is_whole = True
        else:  # of an interim answer
            self.reason = ""
            self.headers.clear()


def _told(error: Exception | None) -> Exception | None:
    """Why an answer broke off whose status has come."""
    if isinstance(error, ConnectionError):
        return ConnectionFailed("The receiver closed the connection before its answer was whole.")
    return error
