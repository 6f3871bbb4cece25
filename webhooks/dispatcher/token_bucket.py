"""A webhook's rate limit. Pure: it has no clock, each time is handed in."""

import math


class TokenBucket:
    """A token allows one row. Tokens come at ``rate_per_s``; a second's worth are kept, at least one.

    Times ``at_s`` are seconds on the monotonic clock.
    """

    __slots__ = ("_filled_s", "_tokens", "rate_per_s")

    def __init__(self, at_s: float, rate_per_s: float | None = None) -> None:
        self.rate_per_s = rate_per_s
        self._tokens = 0.0
        self._filled_s = at_s

    def available(self, at_s: float) -> int | None:
        """Rows that are allowed now; None for any number."""
        if self.rate_per_s is None:
            return None
        capacity = max(self.rate_per_s, 1.0)
        self._tokens = min(capacity, self._tokens + (at_s - self._filled_s) * self.rate_per_s)
        self._filled_s = at_s
        return math.floor(self._tokens)

    def wait_ms(self) -> float:
        """Milliseconds from the last ``available`` until a row is allowed; 0 where one is."""
        if self.rate_per_s is None or self._tokens >= 1:
            return 0.0
        return (1 - self._tokens) / self.rate_per_s * 1000

    def spend(self, rows: int) -> None:
        """Take a token for each row. What is sent without a rate is not charged to one that is set later."""
        if self.rate_per_s is not None:
            self._tokens -= rows
