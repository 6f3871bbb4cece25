"""A database with many deliveries in it, by SQL: what weeks of traffic leave, in seconds."""

from typing import Final

from webhooks.db.store import Store, now_ms

# Two deliveries an event. One is the first webhook's and pending, as when its receiver has been away long:
# the older half waits for a retry, the other half is due. The other one is delivered, to one of the others.
_EVENTS: Final = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :deliveries / 2)
    INSERT INTO event (id, location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    SELECT i, 1, randomblob(16), printf('%08x-0000-4000-8000-%012x', i, i), printf('call %d', i),
           'incoming_call', 'ringing', :now - 60000 - (:deliveries / 2 - i) * 20, 2, 'pbx',
           printf('{"id":"%08x-0000-4000-8000-%012x","thread_id":"call %d","to":"5010",'
                  || '"from":"+19203833100","to_name":"Dade Murphy","from_name":"Clearly IP",'
                  || '"type":"incoming_call","subtype":"ringing","timestamp":"2023-11-14T21:45:22.000000Z"}',
                  i, i, i)
    FROM n
"""
_DELIVERIES: Final = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :deliveries - 1)
    INSERT INTO delivery (id, event_id, webhook_id, thread_key, type, subtype, state, due_at, first_try_at,
                          claims, tries, attempts, created_at, settled_at)
    SELECT i + 1, e.id, iif(i % 2, i / 2 % (:webhooks - 1) + 2, 1), e.thread_key, e.type, e.subtype,
           iif(i % 2, 'delivered', 'pending'),
           iif(i % 2 OR i >= :deliveries / 2, e.accepted_at, :now + 3600000),
           iif(i % 2 OR i < :deliveries / 2, e.accepted_at + 2, NULL),
           i % 2 OR i < :deliveries / 2, i % 2 OR i < :deliveries / 2, i % 2 OR i < :deliveries / 2,
           e.accepted_at, iif(i % 2, e.accepted_at + 5, NULL)
    FROM n JOIN event e ON e.id = i / 2 + 1
"""
_ATTEMPTS: Final = """
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, status, request_headers, response_headers,
                         response_body)
    SELECT id, 1, created_at + 2, 3, 200, printf('{"Content-Type": "application/json", "User-Agent": '
           || '"Spoke-Webhooks/0.1.0", "Accept-Encoding": "identity", "webhook-id": "%036d", '
           || '"webhook-timestamp": "1700000000", "webhook-signature": "v1,%044d"}', id, id),
           '{"Content-Type": "text/plain", "Content-Length": "2"}', 'ok'
    FROM delivery WHERE attempts = 1
"""


# Every event has one of a thousand callers, and all are for the same extension: the most that a search meets.
_NUMBERS: Final = """
    INSERT INTO event_number (number, event_id)
    SELECT printf('%03d3830291', id % 1000), id FROM event UNION ALL SELECT '0105', id FROM event
"""
_HEARD: Final = """
    INSERT INTO heard (location_id, slot, events, unmatched, last_at)
    SELECT 1, accepted_at / 900000, count(*), 0, max(accepted_at) FROM event GROUP BY 2
"""
_TRAFFIC: Final = """
    INSERT INTO traffic (webhook_id, slot, delivered, failed, milliseconds, slowest)
    SELECT webhook_id, created_at / 900000, count(*), 1, 3 * count(*), 9 FROM delivery GROUP BY 1, 2
"""
_DIGESTED: Final = "UPDATE meta SET value = (SELECT max(id) FROM event) WHERE key = 'digested_event'"


def fill(store: Store, deliveries: int, webhooks: int) -> None:
    """Write events, deliveries and attempts for webhooks 1 to ``webhooks`` of location 1."""
    raw = store.engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA synchronous = OFF")
        parameters = {"deliveries": deliveries, "webhooks": webhooks, "now": now_ms()}
        for statement in (_EVENTS, _DELIVERIES, _ATTEMPTS, _NUMBERS, _HEARD, _TRAFFIC, _DIGESTED):
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute(statement, parameters)
            cursor.execute("COMMIT")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
        cursor.close()
    finally:
        raw.invalidate()
