"""What an outcome means for the delivery and for its webhook: retry, circuit, disable. Pure."""

import random
from dataclasses import dataclass
from typing import Final

from webhooks.outbound.attempt import Outcome

JITTER: Final = 0.2
CIRCUIT_AFTER: Final = 5  # timeouts or connection errors in a row
PROBE_FIRST: Final = 5_000  # milliseconds; doubles …
PROBE_LAST: Final = 300_000  # … up to here
DISABLE_AFTER: Final = 5 * 86_400_000  # milliseconds of nothing but failures
DISABLE_ATTEMPTS: Final = 10


@dataclass(slots=True)
class CircuitBreaker:
    """A lane's record. Times in milliseconds.

    Both hold the whole webhook: ``not_before`` as the receiver asked for, which ends by its time or by a
    person alone; ``probe_at`` until the circuit's next probe, which ends with any success.
    """

    failures: int = 0
    broken: int = 0
    failing_since: int | None = None
    not_before: int = 0
    probe_at: int = 0

    @property
    def held_until(self) -> int:
        return max(self.not_before, self.probe_at)

    @property
    def circuit_open(self) -> bool:
        """From here on one delivery at a time probes the receiver."""
        return self.broken >= CIRCUIT_AFTER

    def note(self, outcome: Outcome, now: int) -> str | None:
        """Take an outcome in; the answer is a reason to disable the webhook, if there is one."""
        if outcome.interrupted:
            return None
        if outcome.delivered:
            self.failures = self.broken = self.probe_at = 0
            self.failing_since = None
            return None
        self.failures += 1
        self.failing_since = self.failing_since or now
        self.broken = self.broken + 1 if outcome.broken else 0
        if self.circuit_open:
            probe = PROBE_FIRST << min(self.broken - CIRCUIT_AFTER, 10)
            self.probe_at = max(self.probe_at, now + min(probe, PROBE_LAST))
        if outcome.retry_after is not None:
            self.not_before = max(self.not_before, now + round(outcome.retry_after * 1000))
        if outcome.status == 410:
            return "The receiver answered 410 Gone."
        if self.failures >= DISABLE_ATTEMPTS and now - self.failing_since >= DISABLE_AFTER:
            return f"All attempts have failed for 5 days, {self.failures} of them; the last: {outcome.error}"
        return None


def retry_delay(schedule: tuple[int, ...], tries: int) -> int | None:
    """Milliseconds to wait after the failed attempt number ``tries`` (from 1); None: it was the last."""
    if tries > len(schedule):
        return None
    return round(schedule[tries - 1] * 1000 * random.uniform(1 - JITTER, 1 + JITTER))
