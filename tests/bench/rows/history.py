"""Cost with a million deliveries in the tables beside that with a thousand.

Half of them are pending, all of one webhook, and half of these wait for a retry: the others have to be found
among them.
"""

import time
from collections.abc import Callable
from typing import Final

from appliance import Appliance

from bench import bulk
from bench.figures import Latency, times
from bench.report import Line
from bench.session import Session
from webhooks.db.store import Store, now_ms
from webhooks.outbound.sender import Outcome
from webhooks.outbox import claim as outbox
from webhooks.outbox import leases, marking
from webhooks.outbox.settle import settle_delivered
from webhooks.settings import Settings

_WEBHOOKS: Final = 10
_ROWS: Final = 50  # a fast thread's bulk task
_ME: Final = "bench"
_LIMIT: Final = 50.0  # ms
_TIMES: Final = 2.0
_FEW: Final = 1_000
_PATIENCE: Final = 20.0  # seconds for all rounds of one measurement

_HEADERS: Final = '{"Content-Type": "application/json", "webhook-id": "1", "webhook-signature": "v1,…"}'
_REOPEN: Final = """
    UPDATE delivery SET state = 'pending', due_at = :now, first_try_at = NULL, claims = 0, tries = 0,
           attempts = 0, settled_at = NULL WHERE id IN :ids
"""
_UNLOG: Final = "DELETE FROM attempt WHERE delivery_id IN :ids"


def measure(session: Session) -> list[Line]:
    many = session.size(1_000_000, 100_000)
    few_found, many_found = _figures(session, _FEW), _figures(session, many)
    return [_line(f"{what}, {many:,} deliveries", few_found[what], many_found[what]) for what in few_found]


def _line(what: str, few: Latency, many: Latency) -> Line:
    hit = many.p50 <= _LIMIT and many.p50 <= _TIMES * few.p50
    return Line(
        what, str(many), f"with {_FEW:,}: {few}", "", times(many.p50 / few.p50),
        f"p50 ≤ {_LIMIT:.0f} ms, ≤ {_TIMES:.0f}×", hit,
    )  # fmt: skip


def _figures(session: Session, deliveries: int) -> dict[str, Latency]:
    session.say(f"writing {deliveries:,} deliveries")
    appliance = Appliance(session.new_folder("history"), start=False)
    appliance.location("Bench")
    for _ in range(_WEBHOOKS):
        appliance.webhook("Bench", "http://127.0.0.1:9/")
    store = Store(Settings(data_dir=appliance.folder / "data"), durable=False)  # as the engine has it
    bulk.fill(store, deliveries, _WEBHOOKS)
    rounds = session.size(200, 30)
    found = {
        f"claim and settle {_ROWS} rows": _timed(rounds, lambda: _claim_and_settle(store)),
        "look which lanes are due": _timed(rounds, lambda: _look(store)),
    }
    store.engine.dispose()
    appliance.end()
    for what, latency in found.items():
        session.say(f"{what}, {deliveries:,} deliveries: {latency}")
    return found


def _timed(rounds: int, once: Callable[[], float]) -> Latency:
    """So many rounds, fewer where they take long. ``once`` gives seconds."""
    until = time.monotonic() + _PATIENCE
    taken = [once() * 1000]
    while len(taken) < rounds and time.monotonic() < until:
        taken.append(once() * 1000)
    return Latency.of(taken)


def _claim_and_settle(store: Store) -> float:
    """One claim and its settling, as in a round of the engine; in seconds."""
    begin = time.perf_counter()
    with store.direct() as direct:
        now = now_ms()
        claim = outbox.choose(direct, _ME, 1, outbox.ClaimLimits(_ROWS, _ROWS), now)
        [batches] = marking.mark_claimed(direct, _ME, [claim], now)
    rows = [row for batch in batches for row in batch]
    outcomes = [_success(row.id) for row in rows]
    with store.direct() as direct:
        settled = settle_delivered(direct, _ME, outcomes, now_ms=now_ms())
    seconds = time.perf_counter() - begin
    assert settled == _ROWS, f"{settled} of {_ROWS} rows were claimed and settled"
    with store.direct() as direct:  # as it was before
        ids = [row.id for row in rows]
        direct.run(_UNLOG, {"ids": ids})
        direct.run(_REOPEN, {"ids": ids, "now": now_ms()})
    return seconds


def _success(delivery_id: int) -> Outcome:
    outcome = Outcome(delivery_id, 1, now_ms(), duration_s=0.003, http_status=200)
    outcome.request_headers = outcome.response_headers = _HEADERS
    return outcome


def _look(store: Store) -> float:
    begin = time.perf_counter()
    with store.direct_read() as direct:
        due = leases.due_lanes(direct, _ME)
    assert len(due) == 1, due
    return time.perf_counter() - begin
