"""Which call a voicemail of Asterisk is of, and what the name of a recording says of its call."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# FreePBX: TYPE-TO-FROM-YYYYMMDD-HHMMSS-UNIQUEID.wav; read from its end, as a number may have a "-" in it.
_NAME: Final = re.compile(
    r"(?:in|out|external|internal|exten|force|q|rg)-(?P<to>[^-]{1,80})-(?P<from>.{1,80})"
    r"-\d{8}-\d{6}-(?:[^-]+-)?\d+\.\d+\.\w+"
)
_UNKNOWN: Final = frozenset({"unknown", "anonymous"})
_BEFORE: Final = timedelta(seconds=2)  # two clocks may differ by so much
_AFTER: Final = timedelta(seconds=5)  # between the message's end and the call's


def parties_in_name(filename: str) -> dict[str, str]:
    """Return ``to`` and ``from`` as FreePBX writes them into a recording's name; {} for another name."""
    name = _NAME.fullmatch(filename)
    if name is None:
        return {}
    return {end: number for end, number in name.groupdict().items() if number.lower() not in _UNKNOWN}


@dataclass(frozen=True, slots=True)
class Told:
    """An event that was told of a call. ``closes``: it is the call's closing status."""

    thread_id: str
    at: datetime
    called: str
    closes: bool


def call_of_message(told: Iterable[Told], mailbox: str, began_at: datetime, ended_at: datetime) -> str | None:
    """Return the thread of the call in which a message was left, between two times of the phone system.

    ``told`` has the events of the message's caller. The call was open in that time; one that found its
    extension busy is told only at its end, which follows the message's. Of several such calls it is the one
    that was for the mailbox, and of these the latest. None: there is no such call.
    """
    calls: dict[str, list[Told]] = {}
    for event in told:
        calls.setdefault(event.thread_id, []).append(event)
    open_then = [
        (any(event.called == mailbox for event in events), min(event.at for event in events), thread_id)
        for thread_id, events in calls.items()
        if min(event.at for event in events) <= ended_at + _AFTER
        and all(event.at >= began_at - _BEFORE for event in events if event.closes)
    ]
    return max(open_then)[2] if open_then else None
