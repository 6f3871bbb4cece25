"""What an outcome means for its delivery and its webhook: retry, circuit breaker, disabling. Pure."""

import random
from dataclasses import dataclass
from typing import Final

from webhooks.outbound.sender import Outcome

JITTER: Final = 0.2
CIRCUIT_AFTER: Final = 5  # timeouts or connection errors in a row
PROBE_FIRST_MS: Final = 5_000  # doubles …
PROBE_LAST_MS: Final = 300_000  # … up to here
DISABLE_AFTER_MS: Final = 5 * 86_400_000  # of nothing but failures …
DISABLE_ATTEMPTS: Final = 10  # … and at least so many of them
GONE: Final = "The receiver answered 410 Gone."


@dataclass(slots=True)
class CircuitBreaker:
    """A lane's record. Times in ms since 1970.

    Two times hold the whole webhook: ``not_before_ms``, as the receiver asked for, ends by its time or by a
    person alone; ``probe_ms``, the circuit's next probe, ends with any success. A person who says "try now"
    sets it to that moment. ``last_error`` is why the last attempt failed.
    """

    failures: int = 0
    broken: int = 0
    failing_since_ms: int | None = None
    not_before_ms: int = 0
    probe_ms: int = 0
    last_error: str | None = None

    @property
    def held_until_ms(self) -> int:
        """When the next attempt may begin."""
        return max(self.not_before_ms, self.probe_ms)

    @property
    def circuit_open(self) -> bool:
        """Whether one delivery at a time probes the receiver."""
        return self.broken >= CIRCUIT_AFTER

    @property
    def probing(self) -> bool:
        """Whether the receiver has to prove itself: one attempt at a time until one succeeds."""
        return self.probe_ms > 0 or self.broken >= CIRCUIT_AFTER

    def note(self, outcome: Outcome, now_ms: int) -> str | None:
        """Note an outcome. Returns a reason to disable the webhook, if there is one."""
        if outcome.interrupted or outcome.expired:
            return None
        if outcome.delivered:
            self.failures = self.broken = self.probe_ms = 0
            self.failing_since_ms = self.last_error = None
            return None
        self.failures += 1
        self.failing_since_ms = self.failing_since_ms or now_ms
        self.broken = self.broken + 1 if outcome.broken else 0
        self.last_error = outcome.error
        # What began before the probe was due, or before a person said "try now", is no news of the receiver.
        outdated = outcome.started_ms < self.probe_ms <= now_ms
        if self.circuit_open and not outdated:
            # The shift has a limit: a receiver that is away for a year must not make a number of 10,000 bits.
            probe_ms = PROBE_FIRST_MS << min(self.broken - CIRCUIT_AFTER, 10)
            self.probe_ms = max(self.probe_ms, now_ms + min(probe_ms, PROBE_LAST_MS))
        if outcome.retry_after_s is not None:
            self.not_before_ms = max(self.not_before_ms, now_ms + round(outcome.retry_after_s * 1000))
        if outcome.disable:
            return outcome.disable
        if outcome.http_status == 410:
            return GONE
        if self.failures >= DISABLE_ATTEMPTS and now_ms - self.failing_since_ms >= DISABLE_AFTER_MS:
            return f"All attempts have failed for 5 days, {self.failures} of them; the last: {outcome.error}"
        return None


def retry_delay_ms(schedule_s: tuple[int, ...], tries: int) -> int | None:
    """Milliseconds to wait after the failed attempt number ``tries`` (from 1); None: it was the last.

    Spread by ±20 %, so that what failed together does not come back together.
    """
    if tries > len(schedule_s):
        return None
    return round(schedule_s[tries - 1] * 1000 * random.uniform(1 - JITTER, 1 + JITTER))
