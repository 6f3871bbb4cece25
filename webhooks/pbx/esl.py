"""FreeSWITCH's event socket: framing, decoding and commands, without sockets.

Own on purpose. genesis (2026.10.18, read whole) decodes the head of a message line by line as strict UTF-8,
outside its handler of errors: one such name ends its reader while its consumer waits for ever. It has an
unbounded queue, no watchdog (HEARTBEAT is a metric), no resynchronisation, and brings fastapi, uvicorn,
opentelemetry and a redis below 6, for Python below 3.13.

Rules are from mod_event_socket.c and switch_event.c of FreeSWITCH 1.10. A message is a head of
``Name: value`` lines, a blank line, and as many bytes as ``Content-Length`` says.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from webhooks.errors import Invalid, PbxProblem

Fields = list[tuple[str, str]]

MAX_MESSAGE_BYTES: Final = 16 << 20  # a list of channels has a kilobyte each
_END: Final = b"\n\n"
_LENGTH: Final = re.compile(rb"^Content-Length:[ \t]*(\d{1,9})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_TYPE: Final = re.compile(rb"^Content-Type:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)


class Framer:
    """Cuts a stream into messages, each its head, a blank line and its body, whatever the chunks are."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = 0  # bytes that the message at the beginning has, 0 while its head is not whole
        self._searched = 0

    @property
    def rest(self) -> bytes:
        """The beginning of a message."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take a chunk. Returns the messages that are whole now.

        Raises:
            PbxProblem: a message without end; the link is of no use any more.
        """
        self._buffer += data
        whole = []
        while (message := self._next()) is not None:
            whole.append(message)
        return whole

    def _next(self) -> bytes | None:
        if not self._wanted:
            end = self._buffer.find(_END, max(self._searched - 1, 0))
            self._searched = len(self._buffer) if end < 0 else 0
            if end >= 0:
                found = _LENGTH.search(self._buffer, 0, end + 1)
                self._wanted = end + len(_END) + (int(found[1]) if found else 0)
        if max(self._wanted, len(self._buffer) if not self._wanted else 0) > MAX_MESSAGE_BYTES:
            raise PbxProblem("FreeSWITCH sent a message without end. The connection is made anew.")
        if not self._wanted or len(self._buffer) < self._wanted:
            return None
        message = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        self._wanted = 0
        return message


def content_type(raw: bytes) -> str:
    """The kind of a message: ``auth/request``, ``command/reply``, ``api/response``, ``text/event-json`` …"""
    found = _TYPE.search(raw, 0, raw.find(_END) + 1)
    return found[1].decode("latin-1").lower() if found else ""


def body(raw: bytes) -> bytes:
    """What follows the head."""
    return raw.partition(_END)[2]


def reply(raw: bytes) -> str:
    """The answer to a command, such as ``+OK accepted`` or ``-ERR invalid``."""
    return dict(read_head(raw)).get("Reply-Text", "")


def read_head(raw: bytes) -> Fields:
    """Read the lines of a head, whose values are percent-encoded."""
    lines = text(raw.partition(_END)[0]).splitlines()
    pairs = (line.partition(":") for line in lines)
    return [(name.strip(), unquote(value.strip())) for name, colon, value in pairs if colon]


def read_object(data: bytes) -> Fields:
    """Read an event, or a row of a list, as pairs. A list of values is written as variables have it."""
    try:
        found = json.loads(text(data), strict=False)
    except ValueError:
        return []
    return [(name, _plain(value)) for name, value in found.items()] if isinstance(found, dict) else []


def read_rows(data: bytes) -> list[dict[str, Any]] | None:
    """Read the answer to ``show … as json``; None where it is another answer."""
    try:
        found = json.loads(text(data), strict=False)
    except ValueError:
        return None
    if not isinstance(found, dict) or "row_count" not in found:
        return None
    rows = found.get("rows", [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def text(data: bytes) -> str:
    """Decode a whole message. One that is not UTF-8 is read as Latin-1: callers' names come in either."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def command(*words: str) -> bytes:
    """Write a command. Raises Invalid where a word would begin a line of its own."""
    line = " ".join(words)
    if "\r" in line or "\n" in line:
        raise Invalid("The password for FreeSWITCH has a line break in it. Enter it without.")
    return line.encode() + _END


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(map(str, value))
    return "" if value is None else str(value).replace("\0", "\ufffd")


def subscription(events: Sequence[str], custom: Sequence[str]) -> bytes:
    """Write the command that asks for events. All words after CUSTOM are subclasses."""
    return command("event json", *events, "CUSTOM", *custom)
