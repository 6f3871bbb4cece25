"""The five webhooks of the row latency beside many whose receivers take connections and never answer.

At first contact: the hanging webhooks get their first deliveries while the five are measured. After a
restart: the appliance was stopped and started with all of the hanging ones' deliveries still to do. Alone
is the same without any of them.

And beside one webhook that a program subscribed by the API, as a Zap does, to an address where nobody is;
and with the five webhooks' own location connected to a Zoho that answers 500, or not at all.
"""

import contextlib
import time
from typing import Final

from api_client import Client, new_key
from appliance import free_port
from zoho.fake_zoho import FakeZoho
from zoho.site import Site

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
    dead: list[Latency] = []
    outages: dict[str, list[Latency]] = {"answers 500": [], "hangs": []}
    for _ in range(session.rounds):
        for hanging, rounds in found.items():
            rounds.append(_beside(session, hanging))
        dead.append(_beside_a_dead_zap(session))
        for outage, found_beside in outages.items():
            found_beside.append(_beside_zoho(session, outage))
    alone, *others = (
        [Latencies(tuple(one[place] for one in rounds)) for place in range(len(_WHEN))]
        for rounds in found.values()
    )
    return [
        _line("beside a Zap whose address is dead", alone[0], Latencies(tuple(dead))),
        *(
            _line(f"beside a Zoho that {outage}", alone[0], Latencies(tuple(found_beside)))
            for outage, found_beside in outages.items()
        ),
    ] + [
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


def _beside_a_dead_zap(session: Session) -> Latency:
    """Every call event goes to it too, and fails at once: nobody listens there."""
    with steady.started(session) as five:
        program = Client(five.machine, new_key(five.machine))
        address = f"http://127.0.0.1:{free_port()}/hooks/catch/1/dead/"
        program.made("/webhooks", location="Healthy", kind="call", url=address)
        with five.flow() as flow:
            time.sleep(session.size(_SECONDS, 5))
        found = flow.latency()
        attempts = five.machine.rows("SELECT count(*) FROM attempt WHERE status IS NULL")[0][0]
        assert attempts, "nothing was tried at the dead address"
    session.say(f"beside a Zap whose address is dead: {found}; it was tried {attempts} times")
    return found


def _beside_zoho(session: Session, outage: str) -> Latency:
    """Every call event goes to Zoho too, which is out of order once it is connected."""
    with contextlib.closing(FakeZoho()) as zoho, steady.started(session, **zoho.environment) as five:
        Site(five.machine, zoho, ("Healthy", five.token)).connect()
        zoho.down, zoho.notice_s = outage == "answers 500", 3600.0 if outage == "hangs" else 0.0
        with five.flow() as flow:
            time.sleep(session.size(_SECONDS, 5))
        found = flow.latency()
        tried = sum(call.endswith("/callnotify") for call in zoho.calls)
        assert tried and not zoho.notices, f"Zoho was tried {tried} times and took {len(zoho.notices)}"
    session.say(f"beside a Zoho that {outage}: {found}; it was tried {tried} times")
    return found


def _measured(session: Session, five: Steady, token: str, hanging: int, *, known: bool) -> Latency:
    """An event for all that hang goes out at once, further ones at a steady rate."""
    with contextlib.ExitStack() as stack:
        flow = stack.enter_context(five.flow(known=known))
        if hanging:
            a_second = min(1.0, _DELIVERIES / hanging)
            stack.enter_context(Pace(five.machine.port, "/api/events", token, a_second, lambda _: call()))
        time.sleep(session.size(_SECONDS, 5))
    return flow.latency()
