"""A database with many deliveries in it, by SQL: what weeks of traffic leave, in seconds."""

from typing import Final

import sqlalchemy as sa

from webhooks.db.store import Store, now_ms

# Two deliveries an event. One is the first webhook's and pending, as when its receiver has been away long:
# the older half waits for a retry, the other half is due. The other one is delivered, to one of the others.
_EVENTS: Final = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :deliveries / 2)
    INSERT INTO event (id, location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    SELECT i, 1, {uid}, {hex8} || '-0000-4000-8000-' || {hex12}, 'call ' || i,
           'incoming_call', 'ringing', :now - 60000 - (:deliveries / 2 - i) * 20, 2, 'pbx',
           '{{"id":"' || {hex8} || '-0000-4000-8000-' || {hex12} || '","thread_id":"call ' || i || '",'
           || '"to":"5010","from":"+19203833100","to_name":"Dade Murphy","from_name":"Clearly IP",'
           || '"type":"incoming_call","subtype":"ringing","timestamp":"2023-11-14T21:45:22.000000Z"}}'
    FROM n
"""
_DELIVERIES: Final = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :deliveries - 1),
    made AS (
        SELECT i, i % 2 = 1 AS delivered, i % 2 = 0 AND i >= :deliveries / 2 AS due FROM n
    )
    INSERT INTO delivery (id, event_id, webhook_id, thread_key, type, subtype, state, due_at, first_try_at,
                          claims, tries, attempts, created_at, settled_at)
    SELECT i + 1, e.id, CASE WHEN delivered THEN i / 2 % (:webhooks - 1) + 2 ELSE 1 END, e.thread_key, e.type,
           e.subtype, CASE WHEN delivered THEN 'delivered' ELSE 'pending' END,
           CASE WHEN delivered OR due THEN e.accepted_at ELSE :now + 3600000 END,
           CASE WHEN due THEN NULL ELSE e.accepted_at + 2 END,
           CASE WHEN due THEN 0 ELSE 1 END, CASE WHEN due THEN 0 ELSE 1 END, CASE WHEN due THEN 0 ELSE 1 END,
           e.accepted_at, CASE WHEN delivered THEN e.accepted_at + 5 END
    FROM made JOIN event e ON e.id = i / 2 + 1
"""
_ATTEMPTS: Final = """
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, status, request_headers, response_headers,
                         response_body)
    SELECT id, 1, created_at + 2, 3, 200, '{{"Content-Type": "application/json", "User-Agent": '
           || '"Spoke-Webhooks/0.1.0", "Accept-Encoding": "identity", "webhook-id": "' || {id36} || '", '
           || '"webhook-timestamp": "1700000000", "webhook-signature": "v1,' || {id44} || '"}}',
           '{{"Content-Type": "text/plain", "Content-Length": "2"}}', 'ok'
    FROM delivery WHERE attempts = 1
"""


# Every event has one of a thousand callers, and all are for the same extension: the most that a search meets.
_NUMBERS: Final = """
    INSERT INTO event_number (number, event_id)
    SELECT {caller} || '3830291', id FROM event UNION ALL SELECT '0105', id FROM event
"""
_HEARD: Final = """
    INSERT INTO heard (location_id, slot, events, unmatched, last_at)
    SELECT 1, accepted_at / 900000 AS slot, count(*), 0, max(accepted_at) FROM event GROUP BY 2
"""
_TRAFFIC: Final = """
    INSERT INTO traffic (webhook_id, slot, delivered, failed, milliseconds, slowest)
    SELECT webhook_id, created_at / 900000 AS slot, count(*), 1, 3 * count(*), 9 FROM delivery GROUP BY 1, 2
"""
_DIGESTED: Final = """
    UPDATE meta SET value = (SELECT CAST(max(id) AS TEXT) FROM event) WHERE key = 'digested_event'
"""
_FILL: Final = (_EVENTS, _DELIVERIES, _ATTEMPTS, _NUMBERS, _HEARD, _TRAFFIC, _DIGESTED)
# How each database writes a number with noughts before it, which neither can in the other's words.
_SQLITE: Final = {
    "uid": "randomblob(16)", "hex8": "printf('%08x', i)", "hex12": "printf('%012x', i)",
    "id36": "printf('%036d', id)", "id44": "printf('%044d', id)", "caller": "printf('%03d', id % 1000)",
}  # fmt: skip
_POSTGRESQL: Final = {
    "uid": "decode(md5(CAST(i AS text)), 'hex')", "hex8": "lpad(to_hex(i), 8, '0')",
    "hex12": "lpad(to_hex(i), 12, '0')", "id36": "lpad(CAST(id AS text), 36, '0')",
    "id44": "lpad(CAST(id AS text), 44, '0')", "caller": "lpad(CAST(id % 1000 AS text), 3, '0')",
}  # fmt: skip
_SEQUENCE: Final = "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"


def fill(store: Store, deliveries: int, webhooks: int) -> None:
    """Write events, deliveries and attempts for webhooks 1 to ``webhooks`` of location 1."""
    parameters = {"deliveries": deliveries, "webhooks": webhooks, "now": now_ms()}
    words = _SQLITE if store.sqlite else _POSTGRESQL
    with store.engine.connect() as connection:
        if store.sqlite:
            connection.execution_options(spoke_write=True)
            connection.connection.cursor().execute("PRAGMA synchronous = OFF")
        for template in _FILL:
            statement = sa.text(template.format(**words))
            bound = {name: parameters[name] for name in statement.compile().params}
            connection.execute(statement, bound)
            connection.commit()
        if not store.sqlite:
            for table in ("event", "delivery"):
                connection.execute(sa.text(_SEQUENCE.format(table=table)))
            connection.commit()
        connection.invalidate()
    settle(store)


def settle(store: Store) -> None:
    """Do what the database or the appliance would do in the background after so many changes."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver = connection.connection.cursor()
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)" if store.sqlite else "VACUUM ANALYZE")
        if store.sqlite:
            driver.fetchall()
        driver.close()
        connection.invalidate()
