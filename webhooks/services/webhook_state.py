"""How a webhook stands, in words for people: its page, the lists and commands say the same. Pure."""

from dataclasses import dataclass
from datetime import datetime

from webhooks.services.delivery_state import State, When, at, later, waits


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFacts:
    """What decides how a webhook stands.

    ``waiting`` deliveries are pending and not under way, the first of them is due at ``first_due_at``;
    ``lost`` have failed for good, the first of them accepted at ``lost_since``. Counts go no further than
    ``most``. ``tried``: whether there ever was an attempt.
    """

    state: str = "active"
    reason: str | None = None
    resuming: bool = False
    deleted: bool = False
    tried: bool = True
    failing_since: datetime | None = None
    error: str | None = None
    hold_until: datetime | None = None
    probe_at: datetime | None = None
    first_due_at: datetime | None = None
    waiting: int = 0
    lost: int = 0
    lost_since: datetime | None = None
    most: int = 10_000

    def next_at(self) -> datetime | None:
        """When something is sent next; None where nothing waits."""
        if self.first_due_at is None:
            return None
        return max(time for time in (self.first_due_at, self.hold_until, self.probe_at) if time is not None)

    def can_be_hurried(self, now: datetime) -> bool:
        """Whether "try now" would send something sooner."""
        next_at = self.next_at()
        later_or_failing = self.failing_since is not None or (next_at is not None and next_at > now)
        return self.state == "active" and not self.deleted and self.waiting > 0 and later_or_failing


def webhook_state(facts: WebhookFacts, now: datetime, when: When) -> State:
    """How a webhook stands at this moment."""
    next_at = facts.next_at()
    if facts.deleted:
        return State("dropped", "Deleted", "Nothing more is sent.")
    if facts.resuming:
        return State("pending", "Resuming", "Its held deliveries are being dealt with.")
    if facts.state != "active":
        return State(facts.state, facts.state.capitalize(), facts.reason or "")
    if facts.failing_since is not None:
        why = f"Since {when(facts.failing_since)}: {facts.error or 'its attempts fail.'}"
        sentence = _joined(why, _asked(facts, now, when), _outlook(facts, now, when))
        return State("failing", "Failing", sentence, _later(next_at, now))
    if asked := _asked(facts, now, when):
        return State("waiting", "Waiting", _joined(asked, _outlook(facts, now, when)), facts.hold_until)
    if not facts.tried:
        return State("unmatched", "Nothing sent yet", "")
    return State("active", "Working", "")


def _asked(facts: WebhookFacts, now: datetime, when: When) -> str:
    """What the receiver asked for, while it holds."""
    if facts.hold_until is None or facts.hold_until <= now:
        return ""
    return f"The receiver asked to wait until {when(facts.hold_until)} (Retry-After)."


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _outlook(facts: WebhookFacts, now: datetime, when: When) -> str:
    """``14 deliveries wait, next try at 16:33.``"""
    next_at = facts.next_at()
    if not facts.waiting or next_at is None:
        return "Nothing waits."
    return f"{waits(facts.waiting, facts.most)}, next try {at(next_at, now, when)}."


def _later(moment: datetime | None, now: datetime) -> datetime | None:
    return None if moment is None else later(moment, now)
