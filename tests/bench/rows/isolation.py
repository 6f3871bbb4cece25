"""The five webhooks of the row latency beside many whose receivers take connections and never answer.

At first contact: the hanging webhooks get their first deliveries while the five are measured. After a
restart: the appliance was stopped and started with all of the hanging ones' deliveries still to do. Alone
is the same without any of them.
"""

import contextlib
import time
from typing import Final

from bench import appliance, steady
from bench.events import call
from bench.figures import Latencies, Latency, times
from bench.pace import Pace
from bench.report import Line
from bench.session import Session
from bench.steady import Steady

_HANGING: Final = (0, 20, 100, 1000)
_DELIVERIES: Final = 100  # a second for all that hang together, but no more than one for each
_SECONDS: Final = 12
_TIMES: Final = 2.0  # target
_WHEN: Final = ("at first contact", "after a restart")

Found = tuple[Latency, Latency]  # as _WHEN


def measure(session: Session) -> list[Line]:
    """Alone and beside the others take turns."""
    found: dict[int, list[Found]] = {hanging: [] for hanging in _HANGING}
    for _ in range(session.rounds):
        for hanging, rounds in found.items():
            rounds.append(_beside(session, hanging))
    alone, *others = (
        [Latencies(tuple(one[place] for one in rounds)) for place in range(len(_WHEN))]
        for rounds in found.values()
    )
    return [
        _line(f"beside {hanging:,} webhooks that hang, {when}", alone[place], both[place])
        for hanging, both in zip(_HANGING[1:], others, strict=True)
        for place, when in enumerate(_WHEN)
    ]


def _line(what: str, alone: Latencies, found: Latencies) -> Line:
    ratio = found.p99.over(alone.p99)
    return Line(
        what, str(found), f"alone {alone}", "", f"p99 {ratio.told(times)}", f"p99 ≤ {_TIMES:.0f}× of alone",
        ratio.median <= _TIMES,
    )  # fmt: skip


def _beside(session: Session, hanging: int) -> Found:
    with steady.started(session) as five:
        token = five.machine.location("Hanging")
        appliance.add_webhooks(five.machine, "Hanging", [five.sink.url(f"/hang/{n}") for n in range(hanging)])
        first = _measured(session, five, token, hanging, known=True)
        five.machine.stop()
        five.machine.start()
        again = _measured(session, five, token, hanging, known=False)
    told = (f"{found} {when}" for found, when in zip((first, again), _WHEN, strict=True))
    session.say(f"beside {hanging:,} that hang: {', '.join(told)}")
    return first, again


def _measured(session: Session, five: Steady, token: str, hanging: int, *, known: bool) -> Latency:
    """An event for all that hang goes out at once, further ones at a steady rate."""
    with contextlib.ExitStack() as stack:
        flow = stack.enter_context(five.flow(known=known))
        if hanging:
            a_second = min(1.0, _DELIVERIES / hanging)
            stack.enter_context(Pace(five.machine.port, "/api/events", token, a_second, lambda _: call()))
        time.sleep(session.size(_SECONDS, 5))
    return flow.latency()
