"""One call, whatever phone system tells of it: legs and facts in, our events out.

A translator adds facts as it learns them, in any order and as often as it likes; each is noted once. ``news``
returns what became true: at most one ``ringing``, one ``answered`` and exactly one closing status a call.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal


def sequence_of(status: str) -> int:
    """Return the number by which receivers sort a call's events: ringing, answered, its closing status."""
    return _SEQUENCE.get(status, _CLOSING)


class Direction(StrEnum):
    """Who called whom, as the site sees it. An internal call goes from one of its phones to another."""

    INCOMING = "incoming_call"
    OUTGOING = "outgoing_call"
    INTERNAL = "internal"


Side = Literal["caller", "callee"]

# The number says the order, so that a receiver can sort; a gap means that there was no such event.
_SEQUENCE: Final = {"ringing": 1, "answered": 2}
_CLOSING: Final = 3
_ENDED_BY_SOMEBODY: Final = ("ended", "missed", "no_answer")  # else the far side refused, or nobody was there

# Which of several failed legs speaks for the call. A phone that rang on unanswered goes first: the caller was
# not refused by all. Then what a person did, then what a rule, a number or the network did.
_BEST_FIRST: Final = ("no_answer", "rejected", "busy", "blocked", "invalid", "not_available")


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call: its number and name, "" where unknown."""

    number: str = ""
    name: str = ""


@dataclass(slots=True)
class Leg:
    """One phone or trunk that was tried. ``status`` is why it failed, None while it has not.

    ``withdrawn``: it was forwarded, or answered elsewhere, and has no say in the call's status.
    """

    party: Party
    status: str | None = None
    cause: int | None = None
    sip_code: int | None = None
    failed_at: datetime | None = None
    withdrawn: bool = False


class Call:
    """A call's facts, and which of its events are out.

    ``destination`` is what was called (extension, group, queue, number outside) and stands in ``to`` until
    somebody answers; without it the first leg does, then the number that the network called, ``did``.
    ``is_doubtful``: part of it was not seen, so that a closing status but ``ended`` is our conclusion.
    """

    def __init__(self, thread_id: uuid.UUID) -> None:
        self.thread_id = thread_id
        self.direction: Direction | None = None
        self.caller = Party()
        self.destination: Party | None = None
        self.did = ""
        self.queue = ""
        self.legs: dict[str, Leg] = {}
        self.answered_by: Leg | None = None
        self.refused_as: str | None = None
        self.hint: str | None = None
        self.ended_by: Side | None = None
        self.cause: int | None = None
        self.sip_code: int | None = None
        self.transferred_to: Party | None = None
        self.related: uuid.UUID | None = None
        self.reconstructed = False
        self.is_doubtful = False
        self.ringing_at: datetime | None = None
        self.answered_at: datetime | None = None
        self.closed_at: datetime | None = None
        self._said: set[str] = set()

    def ring(self, leg_id: str, party: Party, at: datetime | None) -> None:
        """Note that a phone or trunk is tried. ``at`` is None where that began before we listened."""
        self.legs.setdefault(leg_id, Leg(party))
        if self.ringing_at is None:
            self.ringing_at = at

    def join_queue(self, name: str, at: datetime) -> None:
        """Note that the caller waits in a queue. It rings there, though no phone may."""
        if self.answered_by is None:
            self.queue = name
            if self.ringing_at is None:
                self.ringing_at = at
                self.destination = Party(name)

    def answer(self, leg_id: str, party: Party, at: datetime) -> None:
        """Note who took the call. The first one stays."""
        leg = self.legs.setdefault(leg_id, Leg(party))
        if self.answered_by is None:
            self.answered_by, self.answered_at = leg, at

    def fail(self, leg_id: str, status: str, at: datetime, cause: int | None, sip_code: int | None) -> None:
        """Note why a leg failed: a call status, ``no_answer`` where it rang out or the caller gave up."""
        leg = self.legs.get(leg_id)
        if leg is not None and leg.failed_at is None:
            leg.status, leg.failed_at, leg.cause, leg.sip_code = status, at, cause, sip_code

    def withdraw(self, leg_id: str, at: datetime) -> None:
        """Take a leg out of the vote: it was forwarded, or another one took the call."""
        leg = self.legs.get(leg_id)
        if leg is not None:
            leg.withdrawn, leg.failed_at = True, leg.failed_at or at

    def close(self, at: datetime, *, reconstructed: bool = False) -> None:
        """Note the call's end. ``reconstructed``: nobody told us of it."""
        if self.closed_at is None:
            self.closed_at = at
            self.reconstructed |= reconstructed or (self.is_doubtful and self.answered_at is None)

    @property
    def is_told_of(self) -> bool:
        """Whether an event of this call is out."""
        return bool(self._said)

    def status(self) -> str:
        """Return the closing status, as the facts are now."""
        if self.answered_by is not None:
            return "ended"
        if self.refused_as == "blocked":
            return self.refused_as
        leg = self._deciding_leg()
        status = (leg and leg.status) or (None if leg else self.refused_as or self.hint) or "no_answer"
        return "missed" if status == "no_answer" and self.direction is Direction.INCOMING else status

    def news(self) -> list[dict[str, object]]:
        """Return the events that are due and not yet out, in order. A call of no known direction has none."""
        if self.direction is None:
            return []
        due: list[tuple[str, datetime]] = []
        if self.ringing_at is not None and self.answered_at is None and self.closed_at is None:
            due.append(("ringing", self.ringing_at))
        if self.answered_at is not None:
            due.append(("answered", self.answered_at))
        if self.closed_at is not None:
            due.append((self.status(), self.closed_at))
        return [self._event(status, at) for status, at in due if self._is_first(status)]

    def _is_first(self, status: str) -> bool:
        kind = status if status in _SEQUENCE else "closed"
        first = kind not in self._said and "closed" not in self._said
        self._said.add(kind)
        return first

    def _deciding_leg(self) -> Leg | None:
        """The leg whose failure is the call's. None where no leg has a say."""
        legs = [leg for leg in self.legs.values() if not leg.withdrawn]
        return min(legs, key=lambda leg: _BEST_FIRST.index(leg.status or "no_answer"), default=None)

    def party_called(self) -> Party:
        """What ``to`` says: who answered, else what was called."""
        answered = self.answered_by.party if self.answered_by else None
        if answered and not (self.direction is Direction.OUTGOING and self.destination):
            return answered
        legs = [answered] if answered else [leg.party for leg in self.legs.values()]
        if self.destination is None:
            return legs[0] if legs else Party(self.did)
        same = [party for party in legs if party.number == self.destination.number]
        return same[0] if same else self.destination

    def _event(self, status: str, at: datetime) -> dict[str, object]:
        called = self.party_called()
        incoming = self.direction is Direction.INCOMING
        event: dict[str, object] = {
            "id": str(uuid.uuid5(self.thread_id, status if status in _SEQUENCE else "closed")),
            "thread_id": str(self.thread_id),
            "to": called.number, "from": self.caller.number,
            "to_name": called.name, "from_name": self.caller.name,
            "type": "incoming_call" if incoming else "outgoing_call",
            "subtype": status,
            "timestamp": at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "sequence": sequence_of(status),
        }  # fmt: skip
        further = {**self._further(), **(self._closing(at) if status not in _SEQUENCE else {})}
        return event | {name: value for name, value in further.items() if value not in (None, "")}

    def _further(self) -> dict[str, object]:
        """The extra fields that any event may have."""
        answered = self.answered_by.party if self.answered_by else Party()
        return {
            "internal": True if self.direction is Direction.INTERNAL else None,
            "queue": self.queue,
            "answered_by": answered.number,
            "answered_by_name": answered.name,
            "ring_seconds": _seconds(self.ringing_at, self._rang_until()),
            "related_thread_id": str(self.related) if self.related else None,
            "reconstructed": self.reconstructed or None,
        }

    def _rang_until(self) -> datetime | None:
        """When the ringing was over. A menu or a voicemail box may have had the caller for longer."""
        failed = [leg.failed_at for leg in self.legs.values() if leg.failed_at]
        if self.answered_at is None and not self.queue and failed and len(failed) == len(self.legs):
            return max(failed)
        return self.answered_at or self.closed_at

    def _closing(self, at: datetime) -> dict[str, object]:
        """The extra fields of the closing status."""
        leg = None if self.answered_by else self._deciding_leg()
        return {
            "talk_seconds": _seconds(self.answered_at, at),
            "cause": leg.cause if leg else self.cause,
            "sip_code": leg.sip_code if leg else self.sip_code,
            "ended_by": self.ended_by if self.status() in _ENDED_BY_SOMEBODY else None,
            "transferred_to": self.transferred_to.number if self.transferred_to else None,
        }


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    """The time between, to a tenth of a second. A clock that was set back gives 0."""
    if since is None or until is None:
        return None
    return max(0.0, round((until - since).total_seconds(), 1))
