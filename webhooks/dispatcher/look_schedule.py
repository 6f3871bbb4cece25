"""When the dispatcher looks at the database next. Pure: it has no clock, each time is handed in."""

from typing import Final

POLL_S: Final = 0.5
AWAKE_S: Final = 0.1  # glances go on for so long after the last work: longer than wake-ups are suppressed
GLANCE_S: Final = 0.002  # while there is work, glances are so far apart
GAP_S: Final = 0.005  # those that read something, and the looks that follow, are at least so far apart …
SHARE: Final = 0.2  # … and looks take at most this share of the time …
SHARE_BESIDE_GLANCES: Final = 0.05  # … or this one, where a glance shows by itself what is new


class LookSchedule:
    """Looks come on request and at each poll.

    While there is work, glances follow one another quickly: whoever finds that anything was committed asks
    for a look, which comes once it costs little of the time.

    Times ``at_s`` are seconds on the monotonic clock.
    """

    def __init__(self, glance_s: float = GLANCE_S, share: float = SHARE_BESIDE_GLANCES) -> None:
        self._glance_s, self._share = glance_s, share
        self._requested = True
        self._outdated = False
        self._polled_s = self._worked_s = self._looked_s = self._read_s = self._glanced_s = float("-inf")
        self._cost_s = 0.0

    def request(self) -> None:
        """Ask for a look at the next opportunity."""
        self._requested = True

    def outdate(self, at_s: float) -> None:
        """Note that a glance found a commit since the last look, and read what is new."""
        self._outdated = True
        self._read_s = at_s

    def worked(self, at_s: float) -> None:
        """Note that there was work: more of it is likely to come at once."""
        self._worked_s = at_s

    def poll_is_due(self, at_s: float) -> bool:
        return at_s >= self._polled_s + POLL_S

    def polled(self, at_s: float) -> None:
        """Note a poll. A look belongs to it."""
        self._polled_s = at_s
        self._requested = True

    def look_is_due(self, at_s: float) -> bool:
        """Whether a look was requested, or something was committed some time ago."""
        return self._requested or (self._outdated and at_s >= self._next_look_s())

    def glance_is_due(self, at_s: float) -> bool:
        """Whether recent work asks for a glance."""
        return self._next_glance_s() <= at_s < self._worked_s + AWAKE_S

    def glanced(self, at_s: float) -> None:
        """Note a glance."""
        self._glanced_s = at_s

    def look_begins(self, at_s: float) -> None:
        """Note that a look begins. What is requested from here on asks for another one."""
        self._requested = self._outdated = False
        self._looked_s = self._read_s = at_s

    def look_ended(self, cost_s: float) -> None:
        """Note what the look took of the processor."""
        self._cost_s = cost_s

    def wait_s(self, at_s: float) -> float:
        """How long nothing has to be done."""
        if self._requested:
            return 0.0
        until_s = self._polled_s + POLL_S
        if self._outdated:
            until_s = min(until_s, self._next_look_s())
        if at_s < self._worked_s + AWAKE_S:
            until_s = min(until_s, self._next_glance_s())
        return max(0.0, until_s - at_s)

    def _next_glance_s(self) -> float:
        return max(self._glanced_s + self._glance_s, self._read_s + GAP_S)

    def _next_look_s(self) -> float:
        return self._looked_s + max(GAP_S, self._cost_s / self._share)
