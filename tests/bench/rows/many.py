"""Fairness: many webhooks with little to do, and few with little beside two that have a lot to do."""

import time

from appliance import Appliance

from bench import appliance
from bench.events import KINDS, call
from bench.figures import Latencies, Latency, Spread, rate, sustained, times
from bench.pace import Pace
from bench.report import Line
from bench.session import Session
from bench.sink import Sink

_LIVELY = 5
_PER_SECOND = 10  # events for each of the lively ones
_P99 = 30.0  # target, ms
_RATIO = 0.85  # target


def measure(session: Session) -> list[Line]:
    return [*_thousand(session), _backlogs(session)]


def _thousand(session: Session) -> list[Line]:
    """As many deliveries for one webhook and for many; first for new lanes, then once more."""
    count = session.size(1000, 200)
    found = [_thousand_once(session, count) for _ in range(session.rounds)]
    lines = []
    for place, what in enumerate(("first deliveries", "later ones")):
        many, single = (Spread.of(one[place][side] for one in found) for side in range(2))
        ratio = many.over(single)
        lines.append(
            Line(
                f"{count:,} webhooks with one delivery each, {what}", many.told(rate),
                f"one webhook with {count:,} {single.told(rate)}", "", ratio.told(times), f"≥ {_RATIO:g}×",
                ratio.median >= _RATIO,
            )
        )  # fmt: skip
    return lines


def _thousand_once(session: Session, count: int) -> list[tuple[float, float]]:
    """(many, one) in deliveries a second, new lanes first."""
    with Sink() as sink, appliance.started(session) as machine:
        many, one = machine.location("Many"), machine.location("One")
        appliance.add_webhooks(machine, "Many", [sink.url(f"/now/many-{n}") for n in range(count)])
        appliance.add_webhooks(machine, "One", [sink.url("/now/one")])
        found = []
        for _ in range(2):
            spread = _drained(machine, sink, many, 1, count)
            single = _drained(machine, sink, one, count, count)
            session.say(f"{count} webhooks with one each: {rate(spread)}; one with {count}: {rate(single)}")
            found.append((spread, single))
        return found


def _drained(machine: Appliance, sink: Sink, token: str, events: int, deliveries: int) -> float:
    """Deliveries a second from the first to the last of what one request makes."""
    before = sink.count()
    appliance.fill(machine, token, [call() for _ in range(events)])
    sink.wait(before + deliveries)
    return sustained(sink.arrivals().at_ns[before:])


def _backlogs(session: Session) -> Line:
    """Two webhooks with a backlog each, five with 10 events a second: how long these wait."""
    backlog = session.size(30_000, 3_000)
    rounds = [_backlogs_once(session, backlog) for _ in range(session.rounds)]
    found = Latencies(tuple(latency for latency, _ in rounds))
    drains = Spread.of(drain for _, drain in rounds)
    return Line(
        f"5 webhooks at {_PER_SECOND}/s beside two backlogs of {backlog:,}",
        f"{found}; backlogs {drains.told(rate)}", "", "", "", f"p99 ≤ {_P99:.0f} ms",
        found.p99.median <= _P99,
    )  # fmt: skip


def _backlogs_once(session: Session, backlog: int) -> tuple[Latency, float]:
    """The latency of the five, and the backlogs' deliveries a second."""
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        lively, busy = KINDS[:_LIVELY], KINDS[_LIVELY : _LIVELY + 2]
        appliance.add_webhooks(machine, "Bench", [sink.url(f"/now/{n}") for n in range(_LIVELY)], lively)
        paused = appliance.add_webhooks(machine, "Bench", [sink.url("/now/busy")] * 2, busy)
        appliance.pause(machine, paused)
        for kind in busy:
            appliance.fill(machine, token, [call(kind) for _ in range(backlog)])
        with Pace(
            machine.port, "/api/events", token, _LIVELY * _PER_SECOND, lambda n: call(lively[n % _LIVELY])
        ) as pace:
            time.sleep(2)  # the five are known by then
            begin = appliance.release(machine, paused)
            sink.wait(2 * backlog)
            time.sleep(0.1)
        assert not pace.refused, pace.refused[0]
        sink.wait(2 * backlog + pace.sent)
        arrivals = sink.arrivals()
    drained = [at for path, at in zip(arrivals.paths, arrivals.at_ns, strict=True) if path == "/now/busy"]
    found = Latency.of(arrivals.milliseconds(begin, max(drained)))
    drain = sustained(drained, begin)
    session.say(f"five beside two backlogs: {found} of {found.count}; the backlogs went at {rate(drain)}")
    return found, drain
