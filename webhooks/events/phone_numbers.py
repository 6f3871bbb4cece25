"""Keys of phone numbers, by which people find them: by their end, however they are written."""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_LONGEST: Final = 40
_INTERNATIONAL: Final = 10  # digits, from which on a 00 in front stands for the +
_NAMED: Final = 5  # digits that make a number among words, where a run without blanks needs but three
_ADDRESS: Final = re.compile(r"<([^<>]*)>")  # "Anna Muster" <sip:5010@pbx> (RFC 3261, section 25.1)
_URI: Final = re.compile(r"(?:sips?|tel|callto|h323|im|pres):(?://)?")
_PARAMETERS: Final = re.compile(r"[;?][a-z0-9-]+(?:=|;|$).*", re.DOTALL)  # RFC 3966, section 3
_SEVERAL: Final = re.compile(r"[,&|\n]")
_RUN: Final = re.compile(r"(?<![^\W_])[0-9](?:[0-9\s()./‐-―-]*[0-9])?(?![^\W_])")
_LETTER: Final = re.compile(r"[^\W\d_]")
_TRUNK: Final = re.compile(r"((?:\+|00)[0-9 ]{1,5})\(0\)")  # +49 (0)30 …
_USUAL: Final = re.compile(r"\+?([1-9][0-9]{0,38})")


def numbers_in(text: str) -> list[str]:
    """Return the keys of a text: the digits of each number in it, written backwards.

    "+1 (920) 383-3100", "0019203833100", "sip:19203833100@pbx;user=phone", "tel:+1-920-383-3100;ext=12",
    '"Anna Muster" <+19203833100>' and "19203833100 (mobile)" are one. A name without a number is found by
    its letters, small and without blanks.
    """
    if usual := _USUAL.fullmatch(text):
        return [usual[1][::-1]]
    plain = _plain(text)
    names = [_user(part) for part in _SEVERAL.split(_ADDRESS.sub(",", plain))]
    parts = [_user(part) for address in _ADDRESS.findall(plain) for part in _SEVERAL.split(address)]
    keys = [key for part in (*parts, *names) for key in _digits(part)]
    if not keys:
        keys = [re.sub(r"\s|[\0]", "", part) for part in (*parts, *names) if _LETTER.search(part)][:1]
    return list(dict.fromkeys(key[::-1][:_LONGEST] for key in keys))


def number_key(text: str) -> str | None:
    """Return the key of the first number of a text, or of its name; None if it has neither."""
    return next(iter(numbers_in(text)), None)


def numbers_of(body: str) -> set[str]:
    """Return the keys of all parties of an event. ``body`` is the event's JSON text."""
    return {key for _, key in spelt(body)}


def spelt(body: str) -> Iterator[tuple[str, str]]:
    """Yield each number of an event as it is written there, and its key; also numbers in names."""
    fields = json.loads(body)
    for field in ("from", "to", "from_name", "to_name"):
        value = fields.get(field)
        if not isinstance(value, str):
            continue
        if not field.endswith("_name"):
            yield from ((value, key) for key in numbers_in(value))
        elif re.search(r"\d", value):
            yield from (
                (value, key) for key in numbers_in(value) if len(key) >= _NAMED and not _LETTER.search(key)
            )


def _plain(text: str) -> str:
    text = text.strip()
    if not text.isascii():  # full-width and Arabic digits are digits
        text = unicodedata.normalize("NFKC", text)
        text = "".join(str(unicodedata.decimal(letter, letter)) for letter in text)
    return text.lower()


def _user(part: str) -> str:
    """Return the user part of an address, in front of its host, its password and its parameters."""
    part = part.strip()
    part = _TRUNK.sub(r"\1", part)
    scheme = _URI.match(part)
    if scheme:
        part = unquote(part[scheme.end() :], errors="replace").partition("@")[0].partition(":")[0]
    return _PARAMETERS.sub("", part.partition("@")[0]).strip()


def _digits(part: str) -> Iterator[str]:
    if not _LETTER.search(part):
        digits = re.sub(r"[^0-9]", "", part)
        if digits:
            yield _without_prefix(digits)
        return
    for run in _RUN.findall(part):
        digits = re.sub(r"[^0-9]", "", run)
        if len(digits) >= _NAMED or (len(digits) >= 3 and run.isdigit()):
            yield _without_prefix(digits)


def _without_prefix(digits: str) -> str:
    return digits.removeprefix("00") if len(digits) >= _INTERNATIONAL + 2 else digits
