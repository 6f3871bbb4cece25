"""What can be read of an answer's head that a parser of HTTP refuses: its status decides all the same."""

import re
from typing import Final, NamedTuple

_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9.]{1,9}[ \t]+([1-9][0-9]{2})(?![0-9])[ \t]*(.*)", re.DOTALL)
_BEGUN: Final = re.compile(
    rb"H?|HT|HTT|HTTP|HTTP/[0-9.]{0,9}([ \t]+([0-9]{0,3}|[0-9]{3}[^0-9].*))?", re.DOTALL
)
_SWITCHED: Final = 101  # no interim answer: what follows is no HTTP any more


class Head(NamedTuple):
    """``whole``: the empty line behind it was there. ``body``: what came behind that."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    whole: bool
    body: bytes


def is_interim(status: int) -> bool:
    """Whether another answer follows (RFC 9110, section 15.2)."""
    return 100 <= status < 200 and status != _SWITCHED


def salvage(data: bytes, *, ended: bool) -> Head | None:
    """Read the head of the answer in ``data``, past interim ones. Lines may end in LF; broken ones are left.

    ``ended``: nothing more will come, so that also a last line without its end counts.
    Returns None where there is no whole status line yet, or none at all.
    """
    rest = data.lstrip(b"\r\n")
    while True:
        line, rest, complete = _line(rest)
        match = _STATUS_LINE.fullmatch(line)
        if match is None or not (complete or ended):
            return None
        status, headers, whole = int(match[1]), [], False
        while rest and not whole:
            line, rest, complete = _line(rest)
            whole = complete and not line
            name, colon, value = line.partition(b":")
            if colon and complete:
                headers.append((name.decode("latin-1").strip(), value.decode("latin-1").strip()))
        if not is_interim(status):
            return Head(status, match[2].decode("latin-1"), headers, whole, rest)


def first_line(data: bytes) -> str:
    """The first line, to be quoted."""
    return _line(data.lstrip(b"\r\n"))[0].decode("latin-1")


def is_http(data: bytes) -> bool:
    """Whether it begins with a status line, or with a part of one."""
    line, _, complete = _line(data.lstrip(b"\r\n"))
    if complete:
        return _STATUS_LINE.fullmatch(line) is not None
    return _BEGUN.fullmatch(line) is not None


def _line(data: bytes) -> tuple[bytes, bytes, bool]:
    """A line without its end, what is behind it, and whether it had an end."""
    line, end, rest = data.partition(b"\n")
    return line.removesuffix(b"\r"), rest, bool(end)
