"""What runs for every event and every delivery finds its rows by the right index.

SQLite chooses without statistics, and a wrong choice is no fault that anything else would show: a claim took
14 ms with a thousand deliveries in the tables and 14 seconds with a million.
"""

import itertools
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from appliance import Appliance

from webhooks.catalogue import STATES
from webhooks.db import raw
from webhooks.media import rows
from webhooks.outbox import claim, hold, leases, marking, now, replay, settle, streams
from webhooks.retention import purge
from webhooks.services import standing

BY_CALL = "ix_delivery_open (webhook_id=? AND thread_key=?)"
BEFORE_IN_CALL = "ix_delivery_open (webhook_id=? AND thread_key=? AND id<?)"
BY_RETRY = "ix_delivery_retrying (webhook_id=? AND state=?"
BY_STATE = "ix_delivery_webhook_id_state_id (webhook_id=? AND state=?"
NEWEST_FAILED = streams.newest([(0, streams.Stream(1, "failed"))], sqlite=True)
NEWEST_RETRYING = streams.newest([(0, streams.Stream(1, streams.RETRYING))], sqlite=True)


def plan(appliance: Appliance, sql: str) -> str:
    with appliance.app.extensions["spoke"].store.read() as session:
        text = sa.text(f"EXPLAIN QUERY PLAN {raw._sqlite(sql)}")
        found = session.execute(text, {name: "[1]" if name == "ids" else 1 for name in names(sql)})
        return "\n".join(row.detail for row in found)


def names(sql: str) -> list[str]:
    return list(sa.text(sql).compile().params)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (leases.DUE_LANES, "ix_delivery_due (webhook_id=?)"),
        (leases.DUE_LANES, "(webhook_id=? AND state=?)"),
        (leases.LANES_OF_NEW, "SEARCH delivery USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (leases.LANES_OF_NEW, "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)"),
        (leases.ACQUIRE_IF_DUE, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (leases.RELEASE_IF_EMPTY, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (claim.DUE_ROWS, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (claim.DUE_ROWS, BY_CALL),
        (claim.FIRST_DUE_ROWS, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (claim.FIRST_DUE_ROWS, BY_CALL),
        (claim.OPEN_ROWS_OF_CALL, BY_CALL),
        (settle.DEFERRED_ROWS, BY_CALL),
        (now.LATER_ROWS, "ix_delivery_due (webhook_id=? AND due_at>? AND due_at<?)"),
        (now.ROWS_OF_CALL, BEFORE_IN_CALL),
        (now.FIRST_TO_GO, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (now.FIRST_DUE, "ix_delivery_due (webhook_id=?)"),
        (replay.select_rows(streams.RETRYING, sqlite=True), f"{BY_RETRY} AND id>?"),
        (replay.select_rows("failed", sqlite=True), f"{BY_STATE} AND id>?"),
        (replay.select_count(streams.RETRYING, sqlite=True), BY_RETRY),
        (hold.select_free("held", sqlite=True), BY_STATE),
        (standing.DELIVERIES, BEFORE_IN_CALL),
        (standing.DELIVERIES, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (standing.WEBHOOKS, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (standing.WEBHOOKS, "ix_delivery_webhook_id_state_id (webhook_id=? AND state>? AND state<?)"),
        (NEWEST_FAILED, f"{BY_STATE} AND id<?)"),
        (NEWEST_RETRYING, f"{BY_RETRY} AND id<?)"),
        (standing.WAITING_OF_WEBHOOK, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (marking.PAYLOADS.replace("IN :ids", "= :id"), "sqlite_autoindex_media_2 (event_id=?)"),
        (settle.ROWS_OF_EVENT, "ix_delivery_event_id (event_id=?)"),
        (rows._WAITING, "ix_media_state_created_at (state=?)"),
        (hold.OUT_OF_STEP.text, BY_STATE),
        (purge._DROP_HELD.text, BY_STATE),
        (purge._OLD.text, "ix_event_accepted_at (accepted_at<?)"),
    ],
)
def test_a_hot_statement_uses_its_index(appliance: Appliance, sql: str, found: str) -> None:
    if appliance.app.extensions["spoke"].store.sqlite:
        text = plan(appliance, sql)
        assert found in text and "SCAN d" not in text.splitlines(), text
    else:
        pytest.skip("PostgreSQL chooses by statistics, which a small table does not give")


# Of 30,000 rows the failing webhook has half, pending and held, and the older ones are retried; the others
# are delivered for the healthy one. So each stream that a page or a long job asks for is either all of a
# webhook's rows, or has none beside thousands of its neighbours'. Both guesses of a planner that knows only
# how frequent each webhook and each state are lead it along the primary key.
_MANY = """
    INSERT INTO event (id, location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    SELECT 1000000 + i, :location, decode(lpad(to_hex(i), 32, '0'), 'hex'), 'plan ' || i, 'plan ' || i,
           'incoming_call', 'ringing', 1, 1, 'pbx', '{}' FROM generate_series(1, 30000) i;
    INSERT INTO delivery (id, event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    SELECT 1000000 + i, 1000000 + i, CASE i % 2 WHEN 0 THEN :failing ELSE :healthy END, 'plan ' || i,
           'incoming_call', 'ringing',
           CASE WHEN i % 2 = 1 THEN 'delivered' WHEN i < 20000 THEN 'pending' ELSE 'held' END, 1, 0,
           CASE WHEN i % 2 = 0 AND i < 15000 THEN 1 ELSE 0 END, 0, 1 FROM generate_series(1, 30000) i;
    ANALYZE delivery
"""
_PAGES_READ = 40  # 8 kB each: the roots of a few indexes, and what is wanted. All rows are 600


@pytest.fixture
def many(appliance: Appliance) -> Iterator[tuple[sa.Connection, dict[str, int]]]:
    """A transaction with many rows, which ends with the test, and the ids of what they belong to."""
    store = appliance.app.extensions["spoke"].store
    if store.sqlite:
        pytest.skip("SQLite knows no statistics")
    office = f"Office {uuid.uuid4()}"
    appliance.location(office)
    failing, healthy = (appliance.webhook(office, "http://127.0.0.1:9/")["id"] for _ in range(2))
    places = {"location": appliance.location_id(office), "failing": failing, "healthy": healthy}
    with store.engine.connect() as connection:
        for statement in _MANY.split(";"):
            connection.execute(sa.text(statement), {name: places[name] for name in names(statement)})
        yield connection, places
        connection.rollback()


def explained(connection: sa.Connection, sql: str, values: dict[str, Any]) -> tuple[str, int]:
    """PostgreSQL's plan of a statement, and how many pages its run read."""
    text = sa.text(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}")
    given = {name: values[name] for name in names(sql)}
    lines = connection.execute(text, given).scalars().all()
    read = re.search(r"shared hit=(\d+)(?: read=(\d+))?", "\n".join(lines))
    assert read is not None, lines
    return "\n".join(lines), int(read[1]) + int(read[2] or 0)


def test_postgresql_reads_of_a_stream_nothing_that_is_not_wanted(
    many: tuple[sa.Connection, dict[str, int]],
) -> None:
    connection, places = many
    webhooks = (places["failing"], places["healthy"])
    asked: list[str] = []
    for webhook, state in itertools.product(webhooks, (*STATES, streams.RETRYING)):
        asked.append(streams.newest([(0, streams.Stream(webhook, state))], sqlite=False))
    for state in STATES:
        asked += [hold.select_free(state, sqlite=False), replay.select_rows(state, sqlite=False)]
    asked += [standing.WEBHOOKS.replace("IN :ids", "= :webhook_id")]
    for sql, webhook in itertools.product(asked, webhooks):
        values = {"webhook_id": webhook, "before": 1_015_000, "cursor": 1_012_000, "last": 1 << 62,
                  "each": 30, "most": 30}  # fmt: skip
        plan, read = explained(connection, sql, values)
        assert read < _PAGES_READ, plan
        assert "pk_delivery" not in plan and "Seq Scan on delivery" not in plan, plan


def test_postgresql_plans_a_hundred_streams_as_one(many: tuple[sa.Connection, dict[str, int]]) -> None:
    connection, places = many
    wanted = list(itertools.product((places["failing"], places["healthy"]), STATES)) * 8
    sql = streams.newest(enumerate(itertools.starmap(streams.Stream, wanted)), sqlite=False)
    plan, _ = explained(connection, sql, {"before": 1 << 62, "each": 5})
    assert len(wanted) > 90 and plan.count("on delivery") == 1, plan
