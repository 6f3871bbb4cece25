"""How quickly receivers are met that have not answered yet. Pure: it has no clock, each time is handed in.

A first contact starts a thread, and takes a millisecond of the interpreter's time. Receivers that answer give
their places back at once, and are met as quickly as that goes. Where many do not, the next ones come in small
groups: a thousand that hang leave the interpreter to the others.
"""

from typing import Final

UNPROVEN_A_ROUND: Final = 32  # lanes on probation, while few of their attempts are in flight
MANY: Final = 64  # attempts of theirs in flight: from so many on …
PER_S: Final = 250.0  # … this many begin in a second …
GROUP: Final = 8  # … so many at a time: a lane alone would be a transaction each


class Pace:
    """Of attempts of lanes on probation. ``at_s`` are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._next_s = 0.0  # when the next group may begin

    def allowance(self, in_flight: int, at_s: float) -> int:
        """How many a round may take now, with ``in_flight`` under way."""
        if in_flight < MANY:
            return UNPROVEN_A_ROUND
        return GROUP if at_s >= self._next_s else 0

    def begun(self, at_s: float) -> None:
        """Note that an attempt began."""
        next_s = max(self._next_s, at_s) + 1 / PER_S
        self._next_s = min(next_s, at_s + GROUP / PER_S)  # those before it were few: they cost it no more
