"""When the dispatcher looks at the database next. Pure: it has no clock, each time is handed in."""

from typing import Final

POLL_S: Final = 0.5
AWAKE_S: Final = 0.1  # looks go on for so long after the last work: longer than wake-ups are suppressed
_GLANCE_S: Final = 0.002  # while there is work, glances are so far apart
_GAP_S: Final = 0.005  # looks that follow from them are at least so far apart …
_SHARE: Final = 0.2  # … and take at most this share of the time
_WAIT_MIN_S: Final = 0.005  # what is due by now and cannot be had is asked for no more often than this


class LookSchedule:
    """Looks come on request, at the next due time, and at each poll.

    While there is work, glances follow one another quickly: whoever finds that anything was committed looks.

    Times ``at_s`` are seconds on the monotonic clock.
    """

    def __init__(self) -> None:
        self._requested = True
        self._next_due_s = 0.0
        self._polled_s = self._worked_s = self._looked_s = self._glanced_s = float("-inf")
        self._cost_s = 0.0

    def request(self) -> None:
        """Ask for a look at the next opportunity."""
        self._requested = True

    def due_in_ms(self, delay_ms: float, at_s: float) -> None:
        """Note that something is due ``delay_ms`` after ``at_s``."""
        self._next_due_s = min(self._next_due_s, at_s + delay_ms / 1000)

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
        """Whether something asks for a look: a request or a due time."""
        return self._requested or at_s >= self._next_due_s

    def glance_is_due(self, at_s: float) -> bool:
        """Whether recent work asks for a glance."""
        return self._next_glance_s() <= at_s < self._worked_s + AWAKE_S

    def glanced(self, at_s: float) -> None:
        """Note a glance. A look may follow from it."""
        self._glanced_s = at_s

    def look_begins(self, at_s: float) -> None:
        """Note that a look begins. What is requested from here on asks for another one."""
        self._requested = False
        self._looked_s = at_s

    def look_ended(self, at_s: float, cost_s: float) -> None:
        """Note what the look took of the processor. Its due times are told by ``due_in_ms`` after this."""
        self._next_due_s = at_s + POLL_S
        self._cost_s = cost_s

    def wait_s(self, at_s: float) -> float:
        """How long nothing has to be done."""
        if self._requested:
            return 0.0
        until_s = min(self._polled_s + POLL_S, max(self._next_due_s, at_s + _WAIT_MIN_S))
        if at_s < self._worked_s + AWAKE_S:
            until_s = min(until_s, self._next_glance_s())
        return max(0.0, until_s - at_s)

    def _next_glance_s(self) -> float:
        return max(self._glanced_s + _GLANCE_S, self._looked_s + max(_GAP_S, self._cost_s / _SHARE))
