"""From posting an event to its arrival at the receiver, 50 events a second, one webhook each.

And the same while other webhooks' receivers accept connections and never answer, from their first delivery
on: each of them gets an event a second.
"""

import contextlib
import time

from bench import appliance
from bench.events import KINDS, call
from bench.figures import Latency, times
from bench.pace import Pace
from bench.report import Line
from bench.session import Session
from bench.sink import Sink

_PER_SECOND = 50
_HEALTHY = 5
_P50, _P99 = 10.0, 40.0  # targets, ms


def measure(session: Session) -> list[Line]:
    limit = _straight(session)
    alone = _beside(session, hanging=0)
    what = "accepted → received, 50 events/s"
    target = f"p50 ≤ {_P50:.0f} ms, p99 ≤ {_P99:.0f} ms"
    hit = alone.p50 <= _P50 and alone.p99 <= _P99
    lines = [Line(what, str(alone), "", f"straight to the receiver {limit}", "", target, hit)]
    for hanging in (20, 100):
        found = _beside(session, hanging=hanging)
        lines.append(
            Line(
                f"the same beside {hanging} webhooks that hang", str(found), "", "",
                f"p99 {times(found.p99 / alone.p99)}", "p99 ≤ 2× of that", found.p99 <= 2 * alone.p99,
            )
        )  # fmt: skip
    return lines


def _straight(session: Session) -> Latency:
    """Without an appliance between: the receiver itself answers."""
    with Sink() as sink:
        begin = time.monotonic_ns()
        with Pace(sink.port, "/now/limit", "", _PER_SECOND, lambda _: call()):
            time.sleep(session.size(10, 2))
        return Latency.of(sink.arrivals().milliseconds(begin))


def _beside(session: Session, *, hanging: int) -> Latency:
    with Sink() as sink, appliance.started(session) as machine:
        healthy, hang = machine.location("Healthy"), machine.location("Hanging")
        kinds = KINDS[:_HEALTHY]
        appliance.add_webhooks(machine, "Healthy", [sink.url(f"/now/{n}") for n in range(_HEALTHY)], kinds)
        appliance.add_webhooks(machine, "Hanging", [sink.url(f"/hang/{n}") for n in range(hanging)])
        with contextlib.ExitStack() as stack:
            pace = stack.enter_context(
                Pace(machine.port, "/api/events", healthy, _PER_SECOND, lambda n: call(kinds[n % _HEALTHY]))
            )
            time.sleep(2)  # the five are known by then
            begin = time.monotonic_ns()
            if hanging:
                stack.enter_context(Pace(machine.port, "/api/events", hang, 1, lambda _: call()))
            time.sleep(session.size(30, 6))
        sink.wait(pace.sent)
        assert not pace.refused, pace.refused[0]
        found = Latency.of(sink.arrivals().milliseconds(begin))
        session.say(f"accepted → received beside {hanging} that hang: {found} of {found.count}")
        return found
