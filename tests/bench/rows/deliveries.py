"""Deliveries a second from the outbox to a fast receiver, all features on, two worker processes."""

import statistics
from collections.abc import Callable

from bench import appliance, wrk
from bench.events import call
from bench.figures import rate, sustained, times
from bench.peers.contest import PEERS, loop_rate, peer_rate
from bench.report import Line
from bench.session import Session
from bench.sink import Sink

_OWN = "10 webhooks"


def measure(session: Session) -> list[Line]:
    """Our contestants and the others take turns, so that none has the quiet minutes for itself."""
    found = _contest(session, session.size(3, 1))
    ours = found[_OWN]
    best = max(("Celery", "dramatiq", "huey"), key=found.__getitem__)
    limit = rate(_limit(session))
    others = ", ".join(f"{peer.name} {found[peer.name]:,.0f}" for peer in PEERS)
    return [
        Line(
            "deliveries/s, 10 webhooks", rate(ours), others, limit,
            f"{times(ours / found[best])} of {best}", "≥ 2.5× the best peer", ours >= 2.5 * found[best],
        ),
        Line("", rate(ours), f"RQ {rate(found['RQ'])}", limit, times(ours / found["RQ"]), "≥ 30× stock RQ",
             ours >= 30 * found["RQ"]),
        Line("", rate(ours), f"Session().post loop {rate(found['loop'])}", limit, times(ours / found["loop"]),
             "≥ 1× the loop", ours >= found["loop"]),
        Line("", rate(ours), f"loop with trust_env=False {rate(found['loop, trust_env=False'])}", limit,
             times(ours / found["loop, trust_env=False"])),
        Line("deliveries/s, 10 webhooks, calls of three messages", rate(found["calls of three"]), "", limit),
        Line("deliveries/s, 1 webhook (so one process)", rate(found["1 webhook"]), "", limit),
    ]  # fmt: skip


def _contest(session: Session, rounds: int) -> dict[str, float]:
    """The median of some rounds for each contestant, by name."""
    contestants: dict[str, Callable[[], float]] = {
        _OWN: lambda: own_rate(session, webhooks=10, per_call=1),
        "loop": lambda: loop_rate(session, trust_env=True),
        **{peer.name: lambda peer=peer: peer_rate(session, peer) for peer in PEERS},  # type: ignore[misc]
        "loop, trust_env=False": lambda: loop_rate(session, trust_env=False),
        "calls of three": lambda: own_rate(session, webhooks=10, per_call=3),
        "1 webhook": lambda: own_rate(session, webhooks=1, per_call=1),
    }
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, contestant in contestants.items():
            found[name].append(contestant())
            session.say(f"deliveries, round {number + 1} of {rounds}, {name}: {rate(found[name][-1])}")
    return {name: statistics.median(rates) for name, rates in found.items()}


def own_rate(session: Session, *, webhooks: int, per_call: int) -> float:
    """Deliveries a second of a full outbox, from the moment when all webhooks were resumed.

    ``per_call`` messages share a thread_id each: they go in order.
    """
    events = session.size(30_000, 4_000) // webhooks
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        made = appliance.add_webhooks(machine, "Bench", [sink.url(f"/now/{n}") for n in range(webhooks)])
        appliance.pause(machine, made)
        appliance.fill(machine, token, [call(thread_id=f"call {n // per_call}") for n in range(events)])
        released = appliance.release(machine, made)
        sink.wait(events * webhooks)
        arrivals = sink.arrivals()
        assert arrivals.messages == events * webhooks, "a delivery came twice, another one not"
        return sustained(arrivals.at_ns, since_ns=released)


def _limit(session: Session) -> float:
    """What the receiver takes from a client that costs next to nothing."""
    with Sink() as sink:
        return wrk.post(sink.url("/now/limit"), session.size(4, 1), connections=16).per_second
