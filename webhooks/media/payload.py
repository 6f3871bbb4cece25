"""The JSON text that receivers get: composed when an event is accepted, changed when its recording is known.

Nothing stands between the members, so each can be found by reading the text from its start. All that is not
changed stays as it was written, spelling and all.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from webhooks.catalogue import CALL_FIELDS

_LINK: Final = "attachments"
_ERROR: Final = "error"
_read: Final = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode  # a number of any length


class _Member(NamedTuple):
    """Where a member stands: ``text[start:end]``, its value from ``value_start`` on."""

    key: str
    start: int
    value_start: int
    end: int


def compose(fields: Sequence[str], texts: Mapping[str, str], further: Iterable[str]) -> str:
    """Write an event: ``fields`` in their order, then further members.

    ``texts`` has values as JSON. A field without one is empty, or null where only recordings have it.
    """
    known = (f'"{name}":{texts.get(name) or _empty(name)}' for name in fields)
    return "{" + ",".join((*known, *further)) + "}"


def with_link(body: str, link: str) -> str:
    """Return a media event's text with the download link as its ``attachments``."""
    for member in _members(body):
        if member.key == _LINK:
            return f"{body[: member.value_start]}{json.dumps(link)}{body[member.end :]}"
    return body


def with_error(body: str, sentence: str) -> str:
    """Return an event's text with an ``error`` at its end, in place of one that the PBX sent."""
    members = [body[member.start : member.end] for member in _members(body) if member.key != _ERROR]
    return "{" + ",".join((*members, f'"{_ERROR}":{json.dumps(sentence, ensure_ascii=False)}')) + "}"


def _members(body: str) -> Iterator[_Member]:
    at = 1
    while body[at - 1] != "}":
        key, colon = _read(body, at)
        end = _read(body, colon + 1)[1]
        yield _Member(key, at, colon + 1, end)
        at = end + 1


def _empty(name: str) -> str:
    return '""' if name in CALL_FIELDS else "null"
