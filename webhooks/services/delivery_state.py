"""How a delivery stands, in words for people: pages, commands and the CSV say the same. Pure.

A pending delivery is being sent, waits for something, or is to be tried again. The wire knows it as pending
alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webhooks.catalogue import counted

When = Callable[[datetime], str]  # how a time is written
_DROPPED: Final = {
    "webhook deleted": "Its webhook was deleted.",
    "dropped on resume": "It was dropped when its webhook was resumed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides how a delivery stands.

    ``error``: why its last attempt failed. ``http_status`` and ``took_ms`` are that attempt's, None where no
    answer came, or nothing was tried. ``earlier_id``: an earlier message of its call that holds it back.
    ``recording_error``: what is wrong with its recording. ``hold_until``: the end of a Retry-After
    hold. ``probe_at``: when an open circuit lets the next attempt out, None where it is closed. ``waiting``:
    how many deliveries of its webhook wait, None if not counted.
    """

    state: str
    webhook_id: int
    due_at: datetime
    reason: str | None = None
    error: str | None = None
    http_status: int | None = None
    took_ms: int | None = None
    sending: bool = False
    tries: int = 0
    attempts: int = 0
    is_test: bool = False
    converting: bool = False
    recording_error: str | None = None
    earlier_id: int | None = None
    webhook_state: str = "active"
    webhook_reason: str | None = None
    rate: float | None = None
    hold_until: datetime | None = None
    probe_at: datetime | None = None
    failing_since: datetime | None = None
    webhook_error: str | None = None
    waiting: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """``name`` is for programs, ``word`` for people. ``sentence`` says why, and what comes next.

    ``until``: when that is, None if nobody knows.
    """

    name: str
    word: str
    sentence: str
    until: datetime | None = None


def state_of(facts: Facts, now: datetime, when: When) -> State:
    """How a delivery stands at this moment."""
    if facts.state == "pending":
        return _pending(facts, now, when)
    if facts.state == "dropped" and facts.is_test and facts.attempts:
        return State("failed", "Test failed", facts.error or facts.reason or "")
    sentence = {"held": _held, "delivered": _delivered, "failed": _failed, "expired": _expired}.get(
        facts.state, _dropped
    )(facts)
    return State(facts.state, facts.state.capitalize(), sentence)


def _pending(facts: Facts, now: datetime, when: When) -> State:
    if facts.sending:
        return State("sending", "Sending", f"Attempt {facts.attempts + 1} is under way.")
    if facts.tries:
        return _retrying(facts, now, when)
    return _waiting(facts, now, when)


def _retrying(facts: Facts, now: datetime, when: When) -> State:
    held, until = _webhook_hold(facts, now, when)
    due_at = max(facts.due_at, until or facts.due_at)
    tries = f"{counted(facts.tries, 'try', 'tries')} failed"
    parts = [
        facts.error or "The last attempt failed.",
        held,
        f"{tries}, the next is {at(due_at, now, when)}.",
    ]
    return State("retrying", "Retrying", " ".join(part for part in parts if part), later(due_at, now))


def _waiting(facts: Facts, now: datetime, when: When) -> State:
    until: datetime | None = None
    held, hold_ends_at = _webhook_hold(facts, now, when)
    if facts.converting:
        sentence = "Its recording is being converted to MP3. It is sent after that."
    elif facts.webhook_state != "active":
        sentence = f"Webhook {facts.webhook_id} is {facts.webhook_state}."
    elif held:
        sentence, until = held, hold_ends_at
    elif facts.earlier_id is not None:
        sentence = (
            f"An earlier message of its call comes first: delivery {facts.earlier_id}. "
            "It waits for that, but no longer than 30 seconds after that was first tried."
        )
    elif facts.due_at > now:
        sentence, until = f"It is due {at(facts.due_at, now, when)}.", facts.due_at
    elif facts.rate is not None:
        rate = f"Webhook {facts.webhook_id} sends at most {facts.rate:g} a second."
        sentence = f"{rate} It is sent when its turn comes."
    else:
        sentence = "It is due now. It is sent as soon as a worker is free."
    return State("waiting", "Waiting", sentence, None if until is None else later(until, now))


def _webhook_hold(facts: Facts, now: datetime, when: When) -> tuple[str, datetime | None]:
    """Why the whole webhook sends nothing now, and until when; "" if it does."""
    others = "" if not facts.waiting else f"; {waits(facts.waiting)}"
    if facts.hold_until is not None and facts.hold_until > now:
        who = "It" if facts.tries else "The receiver"
        asked = f"{who} asked to wait until {when(facts.hold_until)} (Retry-After){others}."
        return asked, facts.hold_until
    if facts.probe_at is None:
        return "", None
    since = f" since {when(facts.failing_since)}" if facts.failing_since else ""
    # What was tried itself has said already why it failed.
    why = "." if facts.tries else f": {facts.webhook_error or 'there is no answer.'}"
    tried = f"It is tried with one delivery at a time, next {at(facts.probe_at, now, when)}{others}."
    return f"Webhook {facts.webhook_id} has not answered{since}{why} {tried}", facts.probe_at


def _held(facts: Facts) -> str:
    why = f": {facts.webhook_reason}" if facts.webhook_reason else "."
    if facts.webhook_state == "active":
        return f"Webhook {facts.webhook_id} has just been resumed. It is sent in a moment."
    return f"Webhook {facts.webhook_id} is {facts.webhook_state}{why} Resume it to send this delivery."


def _delivered(facts: Facts) -> str:
    took = f"The receiver took it at attempt {facts.attempts}."
    return f"{took} Its recording is damaged: {facts.recording_error}" if facts.recording_error else took


def _failed(facts: Facts) -> str:
    tried = f"{counted(facts.attempts, 'attempt')} failed" if facts.attempts else "It failed"
    return f"{facts.reason or 'It could not be sent.'} {tried}. Resend it once the receiver works."


def _expired(facts: Facts) -> str:
    return "It was older than its webhook's maximum age when its turn came, so it was not sent."


def _dropped(facts: Facts) -> str:
    return _DROPPED.get(facts.reason or "", facts.reason or "It was dropped.")


def at(moment: datetime, now: datetime, when: When) -> str:
    """``at 16:34``, or ``due now`` where that has passed: nobody is told of a next time in the past."""
    return f"at {when(moment)}" if moment > now else "due now"


def later(moment: datetime, now: datetime) -> datetime | None:
    """A time that is still to come."""
    return moment if moment > now else None


def waits(count: int, most: int = 10_000) -> str:
    """``1 delivery waits``, ``10,000+ deliveries wait``: counts go no further."""
    number = f"{most:,}+ deliveries" if count > most else counted(count, "delivery", "deliveries")
    return f"{number} {'waits' if count == 1 else 'wait'}"
