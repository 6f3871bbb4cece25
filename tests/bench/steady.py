"""Five healthy webhooks at 50 events a second, and how long those take from being posted to their arrival."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from appliance import Appliance

from bench import appliance
from bench.events import KINDS, call
from bench.figures import Latency
from bench.pace import Pace
from bench.session import Session
from bench.sink import Sink

PER_SECOND: Final = 50
_HEALTHY: Final = 5
_KINDS: Final = KINDS[:_HEALTHY]
_KNOWN_SECONDS: Final = 2.0  # after so long all processes know the five webhooks


@dataclass(frozen=True)
class Steady:
    """An appliance whose location "Healthy" has the five webhooks; ``token`` is that location's."""

    machine: Appliance
    sink: Sink
    token: str

    @contextlib.contextmanager
    def flow(self, *, known: bool = True) -> Iterator["Flow"]:
        """Events while the block runs. ``known``: they have flown for a while when it begins."""
        before = self.sink.count()
        pace = Pace(
            self.machine.port, "/api/events", self.token, PER_SECOND, lambda n: call(_KINDS[n % _HEALTHY])
        )
        flow = Flow(self.sink, pace)
        with pace:
            if known:
                time.sleep(_KNOWN_SECONDS)
            flow.begin_ns = time.monotonic_ns()
            yield flow
        self.sink.wait(before + pace.sent)
        assert not pace.refused, pace.refused[0]


@dataclass
class Flow:
    sink: Sink
    pace: Pace
    begin_ns: int = 0

    def latency(self) -> Latency:
        """Of all that were posted since the block began; to be asked after it."""
        return Latency.of(self.sink.arrivals().milliseconds(self.begin_ns))


@contextlib.contextmanager
def started(session: Session, **environment: Any) -> Iterator[Steady]:
    """A new appliance with the five webhooks, and their receiver."""
    with Sink() as sink, appliance.started(session, **environment) as machine:
        token = machine.location("Healthy")
        appliance.add_webhooks(machine, "Healthy", [sink.url(f"/now/{n}") for n in range(_HEALTHY)], _KINDS)
        yield Steady(machine, sink, token)


def alone(session: Session, seconds: float) -> Latency:
    """With nothing beside them."""
    with started(session) as steady:
        with steady.flow() as flow:
            time.sleep(seconds)
        return flow.latency()
