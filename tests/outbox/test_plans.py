"""What runs for every event and every delivery finds its rows by the right index.

SQLite chooses without statistics, and a wrong choice is no fault that anything else would show: a claim took
14 ms with a thousand deliveries in the tables and 14 seconds with a million.
"""

import itertools
import uuid

import pytest
import sqlalchemy as sa
from appliance import Appliance

from webhooks.db import raw
from webhooks.media import rows
from webhooks.outbox import claim, hold, leases, marking, newest, now, replay, settle
from webhooks.retention import purge
from webhooks.services import standing

BY_CALL = "ix_delivery_open (webhook_id=? AND thread_key=?)"
BEFORE_IN_CALL = "ix_delivery_open (webhook_id=? AND thread_key=? AND id<?)"
BY_RETRY = "ix_delivery_retrying (webhook_id=? AND state=?"
RETRYING = str(replay._select(replay.ROWS, replay.RETRYING))
BY_STATE = "ix_delivery_webhook_id_state_id (webhook_id=? AND state=?"
NEWEST_FAILED = newest.newest(0, 1, "failed", sqlite=True)
NEWEST_RETRYING = newest.newest(0, 1, newest.RETRYING, sqlite=True)


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
        (RETRYING, BY_RETRY),
        (str(replay._select(replay.COUNT, replay.RETRYING)), BY_RETRY),
        (standing.DELIVERIES, BEFORE_IN_CALL),
        (standing.DELIVERIES, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
        (standing.WEBHOOKS, "ix_delivery_due (webhook_id=? AND due_at<?)"),
        (standing.WEBHOOKS, BY_STATE),
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


# Of a webhook's 30,000 rows the older half is retried; nothing of another's waits. Both guesses of a planner
# that knows only how frequent each webhook and each state are lead it along the primary key.
_MANY = """
    INSERT INTO event (id, location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    SELECT 1000000 + i, :location, decode(lpad(to_hex(i), 32, '0'), 'hex'), 'plan ' || i, 'plan ' || i,
           'incoming_call', 'ringing', 1, 1, 'pbx', '{}' FROM generate_series(1, 30000) i;
    INSERT INTO delivery (id, event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    SELECT 1000000 + i, 1000000 + i, CASE i % 2 WHEN 0 THEN :failing ELSE :healthy END, 'plan ' || i,
           'incoming_call', 'ringing', CASE i % 2 WHEN 0 THEN 'pending' ELSE 'delivered' END, 1, 0,
           CASE WHEN i % 2 = 0 AND i < 15000 THEN 1 ELSE 0 END, 0, 1 FROM generate_series(1, 30000) i;
    ANALYZE delivery
"""


def test_postgresql_reads_the_newest_of_a_state_without_the_others(appliance: Appliance) -> None:
    store = appliance.app.extensions["spoke"].store
    if store.sqlite:
        pytest.skip("SQLite knows no statistics")
    office = f"Office {uuid.uuid4()}"
    appliance.location(office)
    failing, healthy = (appliance.webhook(office, "http://127.0.0.1:9/")["id"] for _ in range(2))
    places = {"location": appliance.location_id(office), "failing": failing, "healthy": healthy}
    with store.engine.connect() as connection:  # nothing of it is committed
        for statement in _MANY.split(";"):
            connection.execute(sa.text(statement), {name: places[name] for name in names(statement)})
        for webhook, state in itertools.product((failing, healthy), ("pending", "retrying", "delivered")):
            sql = newest.newest(0, webhook, state, sqlite=False)
            parameters = {"before": 1 << 62, "each": 30}
            rows = connection.execute(sa.text(f"EXPLAIN {sql}"), parameters).scalars().all()
            assert "Index Cond: ((ROW(webhook_id, " in "\n".join(rows), rows
        facts = sa.text(f"EXPLAIN {standing.WEBHOOKS.replace('IN :ids', '= :ids')}")
        rows = connection.execute(facts, {"ids": healthy, "most": 1_000}).scalars().all()
        assert "Seq Scan on delivery" not in "\n".join(rows), rows
