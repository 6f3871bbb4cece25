"""Deliveries a second to receivers that take 100 ms, 10 webhooks at their default concurrency."""

from bench import appliance
from bench.events import call
from bench.figures import Spread, rate, sustained, times
from bench.report import Line
from bench.session import Session
from bench.sink import Sink
from bench.sink_server import SLOW_SECONDS
from webhooks.outbound.options import Options

_WEBHOOKS = 10
_TARGET = 600


def measure(session: Session) -> list[Line]:
    limit = _WEBHOOKS * Options().concurrency / SLOW_SECONDS
    ours = Spread.of(_rate(session) for _ in range(session.rounds))
    return [
        Line(
            "deliveries/s, 10 webhooks, receivers take 100 ms", ours.told(rate), "", rate(limit),
            f"{times(ours.median / limit)} of the limit", f"≥ {_TARGET}/s", ours.median >= _TARGET,
        )
    ]  # fmt: skip


def _rate(session: Session) -> float:
    events = session.size(600, 120)
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        made = appliance.add_webhooks(machine, "Bench", [sink.url(f"/slow/{n}") for n in range(_WEBHOOKS)])
        appliance.pause(machine, made)
        appliance.fill(machine, token, [call() for _ in range(events)])
        released = appliance.release(machine, made)
        sink.wait(events * _WEBHOOKS, "slow")
        found = sustained(sink.arrivals("slow").at_ns, since_ns=released)
        session.say(f"receivers that take 100 ms: {rate(found)}")
        return found
