"""Reader of JSON by RFC 8259, and a little stricter, which keeps the spelling of each member of an event.

What a PBX wrote is passed on untouched: ``1.10`` stays ``1.10``, and keys stay in their order. No library
does both: msgspec, ijson and orjson lose the spelling, or do not refuse doubled keys.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

from webhooks.errors import FieldError, InvalidEvent, Unreadable

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 4300  # Python's own limit for reading an integer (sys.int_info)

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_COLON: Final = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_NEXT: Final = re.compile(r"[ \t\n\r]*(?:(})|,[ \t\n\r]*)")
_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]|,', re.DOTALL)


class Member(NamedTuple):
    """One member of an event: its value, and both halves as JSON text."""

    value: Any
    key_text: str
    text: str

    @classmethod
    def of(cls, key: str, value: Any) -> "Member":
        """Make a member that no PBX has spelt."""
        return cls(value, json.dumps(key, ensure_ascii=False), json.dumps(value, ensure_ascii=False))


Members = dict[str, Member]


class _Fault(Exception):
    """A value that is JSON, and cannot be passed on; what is said of it follows its field."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Fault(f"has the key {twice!r} twice")
    return members


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Fault("holds a number that is out of range")
    return value


def _int(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise _Fault(f"holds an integer of more than {MAX_DIGITS:,} digits")
    return int(text)


def _constant(name: str) -> NoReturn:
    raise _Fault(f"holds {name}, which is no JSON number")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_constant
)


def pointer(*steps: object) -> str:
    """Write an RFC 6901 pointer."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def read(body: bytes) -> Members | list[Members]:
    """Read an event, or a batch of them.

    Raises:
        Unreadable: no UTF-8, no JSON.
        InvalidEvent: JSON, but not an object or an array of objects, or with a value that is refused.
    """
    text, start = _text(body)
    first = text[start : start + 1]
    _check_depth(text, batch=first == "[")
    with _readable():
        if first == "{":
            members, end = _members(text, start, ())
            _expect_end(text, end)
            return members
        if first == "[":
            return _batch(text, start)
        _, end = _decode(text, start, ())
        _expect_end(text, end)
    raise InvalidEvent([FieldError("", "has to be an event (an object) or an array of events")])


def read_object(body: bytes) -> dict[str, Any]:
    """Read an object that is no event, by the same rules.

    Raises:
        Unreadable: no UTF-8, no JSON.
        InvalidEvent: JSON, but not an object, or with a value that is refused.
    """
    text, start = _text(body)
    _check_depth(text, batch=False)
    with _readable():
        value, end = _decode(text, start, ())
        _expect_end(text, end)
    if not isinstance(value, dict):
        raise InvalidEvent([FieldError("", "has to be an object")])
    for part in _texts(value):
        if fault := unsendable(part):
            raise InvalidEvent([FieldError("", fault)])
    return value


def _text(body: bytes) -> tuple[str, int]:
    """The body's text, and where it begins behind the blanks."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8: byte {error.start} is {body[error.start]:#04x}.") from None
    return text, _SPACE.match(text).end()  # type: ignore[union-attr]  # matches anywhere, if only nothing


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None


def _check_depth(text: str, *, batch: bool) -> None:
    limit = MAX_DEPTH + batch
    if text.count("[") + text.count("{") <= limit:
        return
    depth = index = 0
    for mark in _MARKS.finditer(text):
        first = mark[0][0]
        if first in "[{":
            depth += 1
            if depth > limit:
                where = pointer(index) if batch else ""
                raise InvalidEvent([FieldError(where, f"is nested deeper than {MAX_DEPTH} levels")])
        elif first in "]}":
            depth -= 1
        elif first == "," and depth == 1:
            index += 1


def _decode(text: str, at: int, path: tuple[object, ...]) -> tuple[Any, int]:
    try:
        value, end = _decoder.raw_decode(text, at)
    except _Fault as fault:
        raise InvalidEvent([FieldError(pointer(*path), str(fault))]) from None
    return value, end


def _members(text: str, at: int, path: tuple[object, ...]) -> tuple[Members, int]:
    """Read the members of the object that starts at ``at``. Returns also the offset behind it."""
    members: Members = {}
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return members, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, key_end = _decode(text, at, path)
        colon = _COLON.match(text, key_end)
        if colon is None:
            raise json.JSONDecodeError("Expecting ':' delimiter", text, _skip(text, key_end))
        start = colon.end()
        value, end = _decode(text, start, (*path, key))
        if key in members:
            raise InvalidEvent([FieldError(pointer(*path, _printable(key)), "is given twice")])
        member = Member(value, text[at:key_end], text[start:end])
        _check_text(member, key, path)
        members[key] = member
        after = _NEXT.match(text, end)
        if after is None:
            raise json.JSONDecodeError("Expecting ',' delimiter", text, _skip(text, end))
        at = after.end()
        if after[1]:
            return members, at


def _batch(text: str, at: int) -> list[Members]:
    batch: list[Members] = []
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return batch
    while True:
        if text[at : at + 1] == "{":
            members, at = _members(text, at, (len(batch),))
        else:
            _decode(text, at, (len(batch),))
            raise InvalidEvent([FieldError(pointer(len(batch)), "has to be an event (an object)")])
        batch.append(members)
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            _expect_end(text, at + 1)
            return batch
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def _expect_end(text: str, at: int) -> None:
    at = _skip(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _printable(key: str) -> str:
    return key.encode("utf-8", "replace").decode().replace("\0", "?")


def _check_text(member: Member, key: str, path: tuple[object, ...]) -> None:
    """Refuse NUL and lone surrogates. They come as escapes only: UTF-8 and JSON exclude them raw."""
    if "\\u" in member.key_text or "\\u" in member.text:
        for text in _texts({key: member.value}):
            fault = unsendable(text)
            if fault:
                raise InvalidEvent([FieldError(pointer(*path, _printable(key)), fault)])


def unsendable(text: str) -> str | None:
    """Say why a text cannot be stored and sent; None where it can."""
    if "\0" in text:
        return "holds the character NUL"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half of a surrogate pair"
    return None


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *_texts(item))]
    return []
