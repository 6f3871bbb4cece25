"""From posting an event to its arrival at the receiver, 50 events a second, one webhook each."""

import time
from typing import Final

from bench import steady
from bench.events import call
from bench.figures import Latencies, Latency
from bench.pace import Pace
from bench.report import Line
from bench.session import Session
from bench.sink import Sink

_P50, _P99 = 6.0, 8.0  # targets, ms
_SECONDS: Final = 15


def measure(session: Session) -> list[Line]:
    limit = _straight(session)
    rounds = []
    for _ in range(session.rounds):
        rounds.append(steady.alone(session, session.size(_SECONDS, 5)))
        session.say(f"accepted → received: {rounds[-1]} of {rounds[-1].count}")
    found = Latencies(tuple(rounds))
    return [
        Line(
            f"accepted → received, {steady.PER_SECOND} events/s", str(found), "",
            f"straight to the receiver {limit}", "", f"p50 ≤ {_P50:.0f} ms, p99 ≤ {_P99:.0f} ms",
            found.p50.median <= _P50 and found.p99.median <= _P99,
        )
    ]  # fmt: skip


def _straight(session: Session) -> Latency:
    """Without an appliance between: the receiver itself answers."""
    with Sink() as sink:
        begin = time.monotonic_ns()
        with Pace(sink.port, "/now/limit", "", steady.PER_SECOND, lambda _: call()):
            time.sleep(session.size(10, 2))
        return Latency.of(sink.arrivals().milliseconds(begin))
