"""Asterisk Manager Interface: framing, decoding and log-in, without sockets.

Own on purpose. What the package index has was read in 2026-11: panoramisk decodes each chunk by itself and so
loses characters that a chunk cuts in two, and does not wait for the answer of its ping; astami has no stream
of events; basicami drops events when its queue is full; asterisk-ami takes three quiet seconds for a broken
link. None keeps reading while others work, and a slow reader is cut off (``writetimeout``, 100 ms).

Rules are from the AMI v2 specification (docs.asterisk.org) and main/manager.c of Asterisk 22.
"""

import hashlib
from typing import Final

from webhooks.errors import Invalid, PbxProblem
from webhooks.pbx.live import Message

MAX_MESSAGE_BYTES: Final = 1 << 20
_END: Final = b"\r\n\r\n"
_BANNER: Final = "Asterisk Call Manager/"
_OLDEST: Final = 2  # 1.x is Asterisk 11 and before, with other events
_SHOWN: Final = 60  # characters of a wrong banner that its sentence quotes


class Framer:
    """Cuts a stream into messages, whatever its chunks are. The banner has to be taken off before."""

    def __init__(self) -> None:
        self.rest = b""  # the beginning of a message

    def feed(self, data: bytes) -> list[bytes]:
        """Take a chunk. Returns the messages that are whole now, without their blank line.

        Raises:
            PbxProblem: a message without end; the link is of no use any more.
        """
        *whole, self.rest = (self.rest + data).split(_END)
        if len(self.rest) > MAX_MESSAGE_BYTES:
            raise PbxProblem("Asterisk sent a message without end. The connection is made anew.")
        return whole


def decode(raw: bytes) -> list[tuple[str, str]]:
    """Read a whole message. A line that is not UTF-8 is read as Latin-1: callers' names come in either."""
    try:
        lines = raw.decode().split("\r\n")
    except UnicodeDecodeError:
        lines = [_line(line) for line in raw.split(b"\r\n")]
    fields = []
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            fields.append((key, value.strip().replace("\0", "\ufffd")))
    return fields


def _line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def field(message: Message, name: str) -> str:
    """Return the first value of a key, "" where there is none. Keys are case-insensitive."""
    wanted = name.lower()
    return next((value for key, value in message if key.lower() == wanted), "")


def action(name: str, **fields: str) -> bytes:
    """Write an action. Raises Invalid where a value would begin a line of its own."""
    lines = [f"Action: {name}", *(f"{key}: {value}" for key, value in fields.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise Invalid("A name or a password for Asterisk has a line break in it. Enter it without.")
    return "\r\n".join(lines).encode() + _END


def login_key(challenge: str, secret: str) -> str:
    """Answer a challenge (``AuthType: MD5``), so that the secret itself does not travel."""
    return hashlib.md5((challenge + secret).encode(), usedforsecurity=False).hexdigest()


def check_banner(line: str, place: str) -> str:
    """Return the version of the manager interface. ``place`` is the host and port, for the sentence.

    Raises:
        PbxProblem: it is not Asterisk, or one too old.
    """
    if not line.startswith(_BANNER):
        raise PbxProblem(
            f"{place} answers, but not as an Asterisk manager interface: it says {line[:_SHOWN]!r}. "
            "Check the port; 5038 is usual, 5039 with TLS."
        )
    version = line.removeprefix(_BANNER).strip()
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) < _OLDEST:
        raise PbxProblem(
            f"The Asterisk at {place} is too old: its manager interface is {version or 'unknown'}, and "
            "2.0 is the least (Asterisk 12). Upgrade the phone system."
        )
    return version
