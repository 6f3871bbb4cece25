"""Fields of what a phone system sent: read, cleaned, and each fault with its place."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from webhooks.cleaning import clean
from webhooks.errors import FieldError, InvalidEvent, Unreadable
from webhooks.pbx.unknown import UnknownWord

MAX_TEXT: Final = 1000  # characters, as of an event's parties
MAX_KEY: Final = 150  # characters of a call's id: an event's own is made of it and may have 200
MAX_DEPTH: Final = 64
_DURATION: Final = 8  # characters: 99:59:59, or three years in seconds
_YEARS: Final = (1971, 9000)

# 3CX leaves a variable of its template that has no value as it stands there.
_UNFILLED: Final = re.compile(r"\[\w+\]")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,39}")
_BRACKETS: Final = re.compile(r"[\[{]")


class Body:
    """An object of the body. ``place`` is its JSON pointer."""

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self.values, self.place = values, place

    def fault(self, name: str, detail: str) -> InvalidEvent:
        """Make the error of a field."""
        return InvalidEvent([FieldError(f"{self.place}/{name}" if name else self.place, detail)])

    def text(self, name: str, *others: str) -> str:
        """Read a field as one clean line, "" where it is absent or null. ``others``: its further spellings.

        Raises:
            InvalidEvent: it is a list or an object.
        """
        for spelling in (name, *others):
            value = self.values.get(spelling)
            if value is None:
                continue
            if isinstance(value, bool | list | dict):
                raise self.fault(spelling, "has to be text")
            text = clean(str(value)).strip()[:MAX_TEXT]
            if text and not _UNFILLED.fullmatch(text):
                return text
        return ""

    def needed(self, name: str, *others: str) -> str:
        """Read a field that every such message has. Raises InvalidEvent where it is absent or empty."""
        text = self.text(name, *others)
        if not text:
            raise self.fault(name, "is missing")
        return text

    def key(self, name: str, *others: str) -> str:
        """Read the id of a call. Raises InvalidEvent where it is absent or too long."""
        text = self.needed(name, *others)
        if len(text) > MAX_KEY:
            raise self.fault(name, f"is longer than {MAX_KEY} characters")
        return text

    def word(self, name: str, words: Mapping[str, str]) -> str:
        """Read a field that is one of a few words, in any letters. Returns what the word stands for.

        Raises:
            UnknownWord: it is another word. InvalidEvent: it is none.
        """
        text = self.needed(name)
        found = words.get(text.upper().replace("_", " "))
        if found is None and _WORD.fullmatch(text):
            raise UnknownWord(name, text)
        if found is None:
            raise self.fault(name, f"has to be one of {', '.join(words)}, not {text[:60]!r}")
        return found

    def seconds(self, name: str) -> int | None:
        """Read a duration: seconds, or ``hh:mm:ss``. None where it is absent."""
        text = self.text(name)
        if not text:
            return None
        parts = text.split(":")
        if len(parts) not in (1, 3) or not all(part.isascii() and part.isdigit() for part in parts):
            raise self.fault(name, "has to be seconds, or hh:mm:ss")
        if len(text) > _DURATION:
            raise self.fault(name, "is too long for a duration")
        total = 0
        for part in parts:
            total = total * 60 + int(part)
        return total

    def time(self, name: str, zone: tzinfo, *others: str) -> datetime | None:
        """Read a time, None where there is none: ISO 8601, or as CDRs write it.

        ``zone`` is that of a time which names none.
        """
        text = self.text(name, *others)
        if not text or text.startswith("0000-00-00"):
            return None
        try:
            moment = datetime.fromisoformat(text)
            if not _YEARS[0] <= moment.year <= _YEARS[1]:
                raise ValueError("no call was then")
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except ValueError:
            raise self.fault(name, "has to be a time such as 2026-11-24 08:00:00") from None

    def inner(self, name: str) -> "Body":
        """Read a field that is an object, or an object written as text."""
        value = self.values.get(name)
        if isinstance(value, str):
            try:
                value = read_json(value.encode("utf-8", "surrogatepass"))
            except Unreadable:
                raise self.fault(name, "has to be an object, or JSON of one in a text") from None
        if value is None:
            raise self.fault(name, "is missing")
        if not isinstance(value, dict):
            raise self.fault(name, "has to be an object")
        return Body(value, f"{self.place}/{name}")


def read_json(body: bytes) -> Any:
    """Read JSON as phone systems write it: a byte that is no UTF-8 is replaced, a doubled key counts once.

    Raises:
        Unreadable: no JSON, or nested too deeply.
    """
    text = body.decode("utf-8-sig", "replace")
    # The parser recurses; brackets are far more than levels, in all but a hostile body.
    if len(_BRACKETS.findall(text)) > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise Unreadable(f"The body is nested deeper than {MAX_DEPTH} levels.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is not JSON: {error}.") from None


def read_object(body: bytes) -> Body:
    """Read a body that is one JSON object. Raises Unreadable, InvalidEvent."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise InvalidEvent([FieldError("", "has to be an object")])
    return Body(value)


def _depth(text: str) -> int:
    """The deepest nesting; brackets inside of texts do not count."""
    deepest = depth = 0
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.DOTALL):
        if mark[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in "]}":
            depth -= 1
    return deepest
