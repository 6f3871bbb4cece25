"""A call as its system tells of it at the end, turned into events; and what translators share."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final

from webhooks.pbx.calls import Party, sequence_of

Event = dict[str, object]
CLOSING: Final = (
    "ended", "rejected", "busy", "missed", "no_answer", "blocked", "invalid", "not_available",
)  # fmt: skip
TAKEN: Final = ("answered_by", "answered_by_name")


@dataclass(frozen=True)
class Site:
    """What a location says of its phone system.

    ``zone`` is that of times which name none. ``internal``: calls between two extensions are told too.
    """

    zone: tzinfo = UTC
    internal: bool = False


@dataclass(frozen=True)
class Told:
    """What one message of a phone system comes to.

    ``now`` are events that are certain. ``later`` may be one leg's view of a call: they wait until the
    others' have come (``webhooks/pbx/merging.py``). ``kind`` is the system's own word for such a message.
    ``unknown`` are words of it that this version does not know (``webhooks/pbx/unknown.py``).
    """

    kind: str
    now: Sequence[Event] = ()
    later: Sequence[Event] = ()
    unknown: Sequence[str] = ()


@dataclass(frozen=True)
class Finished:
    """A call that is over. ``closing`` is its last status; ``more`` are further fields of both events.

    ``answered_at`` is None for a call that no person answered.
    """

    thread: str
    type: str
    caller: Party
    called: Party
    closing: str
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    more: Event = field(default_factory=dict)

    def events(self) -> list[Event]:
        """Make the events: ``answered`` for a call that was, then the end. Nobody was told of its ringing."""
        told = []
        if self.closing == "ended":
            told.append(self.event("answered", self.answered_at))
        told.append(self.event(self.closing, self.ended_at))
        return told

    def event(self, status: str, at: datetime | None) -> Event:
        """Make one event of the call; ``at`` left out is the time at which it is stored."""
        event = call_event(self.thread, self.type, status, self.caller, self.called, at) | filled(self.more)
        return event | filled(taken_by(self.called)) if status == "ended" else event

    def media(self, kind: str, filename: str, **more: object) -> Event:
        """Make the event of a recording or a voicemail that the phone system keeps itself."""
        return {
            "id": f"{self.thread}/{kind}/{digest(filename)[:16]}",
            "thread_id": self.thread,
            "type": kind,
            "from": self.caller.number,
            "to": self.called.number,
            "from_name": self.caller.name,
            "to_name": self.called.name,
        } | filled({"filename": filename, **more})


def call_event(
    thread: str, type_: str, status: str, caller: Party, called: Party, at: datetime | None
) -> Event:
    """Make a call event. Its id is the call's with the status: what is told twice is recognised."""
    event: Event = {
        "id": f"{thread}/{status}",
        "thread_id": thread,
        "type": type_,
        "subtype": status,
        "from": caller.number,
        "to": called.number,
        "from_name": caller.name,
        "to_name": called.name,
        "sequence": sequence_of(status),
    }
    if status == "answered":
        event |= filled(taken_by(called))
    if at is not None:
        event["timestamp"] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return event


def taken_by(party: Party) -> Event:
    """Name who took a call."""
    return dict(zip(TAKEN, (party.number, party.name), strict=True))


def filled(fields: dict[str, object]) -> Event:
    """Leave out the fields that have no value."""
    return {name: value for name, value in fields.items() if value not in (None, "")}


def unanswered(incoming: bool) -> str:
    """The status of a call that rang and was not answered."""
    return "missed" if incoming else "no_answer"


def seconds_between(first: datetime | None, second: datetime | None) -> int | None:
    """Count the whole seconds from one moment to a later one; None where either is not known."""
    if first is None or second is None or second < first:
        return None
    return int((second - first).total_seconds())


def digest(text: str) -> str:
    """Make a short name of a text: 32 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
