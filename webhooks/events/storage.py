"""SQL of an event and its deliveries. In the caller's transaction."""

import uuid
from dataclasses import dataclass
from typing import Any

from webhooks.db.models.outbox import NOT_YET_MS
from webhooks.db.raw import RawConnection
from webhooks.events.routing import Subscription
from webhooks.events.schema import IncomingEvent
from webhooks.media import rows
from webhooks.media.payload import with_error

_INSERT_EVENT = """
    INSERT INTO event (location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    VALUES (:location_id, :uid,
            CASE WHEN EXISTS (SELECT 1 FROM event WHERE location_id = :location_id AND uid = :uid)
                 THEN :derived_id ELSE :message_id END,
            :thread_key, :type, :subtype, :now, :matched, :origin, :body)
    ON CONFLICT (location_id, uid, type, subtype) DO NOTHING RETURNING id
"""
_DUPLICATE = """
    SELECT matched FROM event
    WHERE location_id = :location_id AND uid = :uid AND type = :type AND subtype = :subtype
"""
_INSERT_DELIVERY = """
    INSERT INTO delivery (event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    VALUES (:event_id, :webhook_id, :thread_key, :type, :subtype, :state, :now, 0, 0, 0, :now)
"""
# These are not due until their recording is ready. ``first_try_at`` is the acceptance, so that the call's
# later messages wait for a recording as long as for a message that fails: 30 seconds.
_INSERT_WAITING = """
    INSERT INTO delivery (event_id, webhook_id, thread_key, type, subtype, state, due_at, first_try_at,
                          claims, tries, attempts, created_at)
    VALUES (:event_id, :webhook_id, :thread_key, :type, :subtype, :state, :due, :now, 0, 0, 0, :now)
"""
_BODY = "SELECT body FROM event WHERE id = :id"
_SET_BODY = "UPDATE event SET body = :body WHERE id = :id"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer for one event: its id as it is sent, its number of deliveries, whether it is a duplicate."""

    id: str
    deliveries: int
    duplicate: bool


def store(
    direct: RawConnection,
    location_id: int,
    origin: str,
    event: IncomingEvent,
    targets: list[Subscription],
    now: int,
) -> Accepted:
    """Store an event with its deliveries, unless it is a duplicate."""
    row = _event_row(location_id, origin, event, len(targets), now)
    stored = direct.row(_INSERT_EVENT, row)
    if stored is None:
        duplicate = direct.row(_DUPLICATE, row)
        assert duplicate is not None, "only a duplicate prevents an insertion"
        return Accepted(event.id, duplicate[0], True)
    if event.media:
        media = event.media
        rows.insert(direct, media.id, stored[0], media.filename, media.size, media.milliseconds, now)
    if targets:
        shared = {"event_id": stored[0], "thread_key": event.thread_key, "type": event.type,
                  "subtype": event.subtype, "now": now}  # fmt: skip
        if event.media:
            shared["due"] = NOT_YET_MS
        direct.many(
            _INSERT_WAITING if event.media else _INSERT_DELIVERY,
            [
                {**shared, "webhook_id": target.webhook_id, "state": "held" if target.held else "pending"}
                for target in targets
            ],
        )
    return Accepted(event.id, len(targets), False)


def add_error(direct: RawConnection, event_id: int, sentence: str) -> None:
    """Say in an event's text what is wrong with its recording: receivers get it as ``error``."""
    row = direct.row(_BODY, {"id": event_id})
    assert row is not None, "a recording's event is there"
    direct.run(_SET_BODY, {"id": event_id, "body": with_error(row[0], sentence)})


def wanted_by(
    subscriptions: list[Subscription], only_webhook: int | None, event: IncomingEvent
) -> list[Subscription]:
    """Choose the webhooks that are to get an event. A test event is for one webhook only."""
    if only_webhook is not None:
        return [webhook for webhook in subscriptions if webhook.webhook_id == only_webhook]
    return [webhook for webhook in subscriptions if webhook.filter.matches(event.type, event.subtype)]


def _event_row(location_id: int, origin: str, event: IncomingEvent, matched: int, now: int) -> dict[str, Any]:
    uid = uuid.UUID(event.id)
    return {
        "location_id": location_id,
        "uid": uid.bytes,
        "message_id": event.id,
        "derived_id": str(uuid.uuid5(uid, f"{event.type}/{event.subtype}")),
        "thread_key": event.thread_key,
        "type": event.type,
        "subtype": event.subtype,
        "matched": matched,
        "origin": origin,
        "body": event.body,
        "now": now,
    }
