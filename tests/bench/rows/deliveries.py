"""Deliveries a second from the outbox to a fast receiver, all features on, two worker processes."""

from collections.abc import Callable
from typing import Final

from bench import appliance, processor, wrk
from bench.events import call
from bench.figures import Spread, rate, sustained, times, us
from bench.peers import environment
from bench.peers.catalogue import BULLMQ, PYTHON, Peer
from bench.peers.contest import Score, loop_score, score
from bench.report import Line
from bench.session import Session
from bench.sink import Sink

_OWN: Final = "10 webhooks"
_LOOP: Final = "a Session().post loop"
_TARGETS: Final = {"dramatiq, tuned": 2.5, BULLMQ.title: 1.0, "RQ, documented": 30.0}
_SECONDS: Final = 200e-6  # target, of processor time a delivery
_WHAT: Final = "deliveries/s, 10 webhooks"


def measure(session: Session) -> list[Line]:
    """Our contestants and the others take turns, so that none has the quiet minutes for itself."""
    peers = [*PYTHON, *([BULLMQ] if environment.node_folder(session) else [])]
    found = _contest(session, peers)
    limit = rate(_limit(session))
    ours = found[_OWN]
    cost = Spread.of(one.seconds for one in ours)
    lines = [
        Line("processor time a delivery, all in", cost.told(us), "", "", "", f"≤ {us(_SECONDS)}",
             cost.median <= _SECONDS),
        *(_beside(peer.title, ours, found[peer.title], limit, peer.lacks) for peer in peers),
        _beside(_LOOP, ours, found[_LOOP], limit),
        _beside(f"{_LOOP}, trust_env=False", ours, found[f"{_LOOP}, trust_env=False"], limit),
    ]  # fmt: skip
    for name, what in (("calls of three", "calls of three messages"), ("1 webhook", "one process then")):
        lines.append(Line(f"deliveries/s, {name}: {what}", _told(found[name]), "", limit))
    return lines


def _beside(title: str, ours: list[Score], theirs: list[Score], limit: str, lacks: str = "") -> Line:
    ratio = _rates(ours).over(_rates(theirs))
    target = _TARGETS.get(title)
    return Line(
        _WHAT, _told(ours), f"{title}: {_told(theirs)}", limit, ratio.told(times),
        f"≥ {target:g}×" if target else "", None if target is None else ratio.median >= target,
        f"{title.partition(',')[0]}: {lacks}." if lacks else "",
    )  # fmt: skip


def _rates(scores: list[Score]) -> Spread:
    return Spread.of(one.per_second for one in scores)


def _told(scores: list[Score]) -> str:
    return f"{_rates(scores).told(rate)}, {us(Spread.of(one.seconds for one in scores).median)}"


def _contest(session: Session, peers: list[Peer]) -> dict[str, list[Score]]:
    """Each contestant's rounds, by name."""
    contestants: dict[str, Callable[[], Score]] = {
        _OWN: lambda: own_score(session, webhooks=10, per_call=1),
        **{peer.title: lambda peer=peer: score(session, peer) for peer in peers},  # type: ignore[misc]
        _LOOP: lambda: loop_score(session, trust_env=True),
        f"{_LOOP}, trust_env=False": lambda: loop_score(session, trust_env=False),
        "calls of three": lambda: own_score(session, webhooks=10, per_call=3),
        "1 webhook": lambda: own_score(session, webhooks=1, per_call=1),
    }
    found: dict[str, list[Score]] = {name: [] for name in contestants}
    for number in range(session.rounds):
        for name, contestant in contestants.items():
            found[name].append(contestant())
            session.say(f"deliveries, round {number + 1} of {session.rounds}, {name}: {found[name][-1]}")
    return found


def own_score(session: Session, *, webhooks: int, per_call: int) -> Score:
    """Deliveries of a full outbox, from the moment when all webhooks were resumed.

    ``per_call`` messages share a thread_id each: they go in order.
    """
    events = session.size(30_000, 4_000) // webhooks
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        made = appliance.add_webhooks(machine, "Bench", [sink.url(f"/now/{n}") for n in range(webhooks)])
        appliance.pause(machine, made)
        appliance.fill(machine, token, [call(thread_id=f"call {n // per_call}") for n in range(events)])
        assert machine.process is not None
        before = processor.spent([machine.process.pid])
        released = appliance.release(machine, made)
        sink.wait(events * webhooks)
        spent = processor.spent([machine.process.pid]) - before
        arrivals = sink.arrivals()
        assert arrivals.messages == events * webhooks, "a delivery came twice, another one not"
        return Score(sustained(arrivals.at_ns, since_ns=released), spent / (events * webhooks))


def _limit(session: Session) -> float:
    """What the receiver takes from a client that costs next to nothing."""
    with Sink() as sink:
        return wrk.post(sink.url("/now/limit"), session.size(4, 1), connections=16).per_second
