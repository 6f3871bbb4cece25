"""JSON as RFC 8259 says and a little stricter, keeping the spelling of every member of an event.

What a PBX wrote is passed on untouched: ``1.10`` stays ``1.10`` and key order stays, which a trip through
Python's values would not promise.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from webhooks.errors import FieldError, InvalidEvent, Unreadable

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 4300  # Python's own limit for reading an integer (sys.int_info)

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]|,', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an event: its value, and both halves as JSON text."""

    value: Any
    key_text: str
    text: str

    @classmethod
    def of(cls, key: str, value: Any) -> "Member":
        """A member of our own spelling."""
        return cls(value, json.dumps(key, ensure_ascii=False), json.dumps(value, ensure_ascii=False))


Members = dict[str, Member]


class _Fault(Exception):
    """A value that is JSON but cannot be passed on."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Fault(f"the key {twice!r} is given twice")
    return found


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Fault("a number is out of range")
    return value


def _int(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise _Fault(f"an integer has more than {MAX_DIGITS:,} digits")
    return int(text)


def _constant(name: str) -> NoReturn:
    raise _Fault(f"{name} is no JSON number")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_constant
)


def pointer(*steps: object) -> str:
    """An RFC 6901 pointer."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def read(body: bytes) -> Members | list[Members]:
    """Read an event, or a batch of them.

    Raises:
        Unreadable: no UTF-8, no JSON.
        InvalidEvent: JSON, but not an object or an array of objects, or with a value we do not pass on.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8: byte {error.start} is {body[error.start]:#04x}.") from None
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # matches anywhere, if only nothing
    first = text[start : start + 1]
    _check_depth(text, batch=first == "[")
    try:
        if first == "{":
            found, end = _members(text, start, ())
            _expect_end(text, end)
            return found
        if first == "[":
            return _batch(text, start)
        _, end = _decode(text, start, ())
        _expect_end(text, end)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    raise InvalidEvent([FieldError("", "has to be an event (an object) or an array of events")])


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
    """The members of the object that starts at ``at``, and the place behind it."""
    found: Members = {}
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return found, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, key_end = _decode(text, at, path)
        colon = _skip(text, key_end)
        if text[colon : colon + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, colon)
        start = _skip(text, colon + 1)
        value, end = _decode(text, start, (*path, key))
        if key in found:
            raise InvalidEvent([FieldError(pointer(*path, _printable(key)), "is given twice")])
        member = Member(value, text[at:key_end], text[start:end])
        _check_text(member, key, path)
        found[key] = member
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            return found, at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def _batch(text: str, at: int) -> list[Members]:
    batch: list[Members] = []
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return batch
    while True:
        if text[at : at + 1] == "{":
            found, at = _members(text, at, (len(batch),))
        else:
            _decode(text, at, (len(batch),))
            raise InvalidEvent([FieldError(pointer(len(batch)), "has to be an event (an object)")])
        batch.append(found)
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
    """NUL and lone surrogates come as escapes only: the body was UTF-8, JSON bans raw control characters."""
    if "\\u" in member.key_text or "\\u" in member.text:
        for text in _texts({key: member.value}):
            fault = unsendable(text)
            if fault:
                raise InvalidEvent([FieldError(pointer(*path, _printable(key)), fault)])


def unsendable(text: str) -> str | None:
    """Why a text cannot be stored and sent, if so."""
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
