"""Deliveries and the events they carry: read one by one or by call, and sent again."""

import uuid
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import Delivery, Event, Tally, Webhook
from webhooks.db.store import Store, now_ms
from webhooks.errors import Conflict
from webhooks.outbox import now, replay
from webhooks.outbox.wakeup import Waker
from webhooks.services import standing
from webhooks.services.delivery_state import Facts
from webhooks.services.lookup import existing_webhook, row_or_404


class Deliveries:
    """Deliveries and events, read and sent again.

    Raises NotFound for an unknown id, Conflict where the state forbids it, Unavailable as the Store does.
    """

    def __init__(self, store: Store, waker: Waker) -> None:
        self._store, self._waker = store, waker

    def get(self, delivery_id: int) -> Delivery:
        """Read a delivery with its event, webhook and attempts."""
        with self._store.read() as session:
            return row_or_404(session.get(Delivery, delivery_id, options=_WHOLE), f"delivery {delivery_id}")

    def facts(self, ids: Iterable[int]) -> dict[int, Facts]:
        """Read how deliveries stand."""
        with self._store.read() as session:
            return standing.of_deliveries(session, ids)

    def facts_of(self, delivery_id: int) -> Facts:
        """Read how one delivery stands, and how many others of its webhook wait."""
        with self._store.read() as session:
            found = standing.of_deliveries(session, [delivery_id], counted=True).get(delivery_id)
        return row_or_404(found, f"delivery {delivery_id}")

    def of_event(self, webhook_id: int, event_uid: str) -> Delivery:
        """Read the newest delivery of the event with this id to a webhook."""
        with self._store.read() as session:
            query = (
                sa.select(Delivery)
                .join(Delivery.event)
                .where(
                    Event.location_id
                    == sa.select(Webhook.location_id).where(Webhook.id == webhook_id).scalar_subquery(),
                    Event.uid == uuid.UUID(event_uid).bytes,
                    Delivery.webhook_id == webhook_id,
                )
                .order_by(Delivery.id.desc())
                .limit(1)
                .options(*_WHOLE)
            )
            return row_or_404(session.scalar(query), f"delivery of event {event_uid}")

    def event(self, event_id: int) -> Event:
        """Read an event with its deliveries."""
        with self._store.read() as session:
            return row_or_404(session.get(Event, event_id, options=_STORY), f"event {event_id}")

    def story(self, event: Event, around: int = 20) -> Sequence[Event]:
        """Read the events of an event's call at its location, in order, with their deliveries.

        There are up to ``around`` before the event and as many after it.
        """
        call = (
            sa.select(Event)
            .where(Event.thread_key == event.thread_key, Event.location_id == event.location_id)
            .options(*_STORY)
        )
        with self._store.read() as session:
            before = call.where(Event.id <= event.id).order_by(Event.id.desc()).limit(around + 1)
            after = call.where(Event.id > event.id).order_by(Event.id).limit(around)
            return [*reversed(session.scalars(before).all()), *session.scalars(after).all()]

    def unmatched_events(self, count: int, before: int | None = None) -> tuple[Sequence[Event], int | None]:
        """Read those of the ``count`` events below ``before`` that were for no webhook, newest first.

        The second value is the ``before`` to go on with, None at the end.
        """
        with self._store.read() as session:
            ids = sa.select(Event.id).order_by(Event.id.desc()).limit(count)
            if before is not None:
                ids = ids.where(Event.id < before)
            newest = session.scalars(ids).all()
            query = sa.select(Event).where(Event.id.in_(newest), Event.matched == 0).order_by(Event.id.desc())
            older = newest[-1] if len(newest) == count else None
            return session.scalars(query.options(orm.joinedload(Event.location))).all(), older

    def purged(self) -> bool:
        """Whether anything was removed by age already."""
        with self._store.read() as session:
            return session.scalar(sa.select(Tally.n).limit(1)) is not None

    def resend(self, delivery_id: int) -> Delivery:
        """Open a delivery again that is settled or waits for a retry.

        It is held where its webhook is paused or disabled.
        """
        with self._store.write() as session:
            delivery = row_or_404(session.get(Delivery, delivery_id), f"delivery {delivery_id}")
            webhook = existing_webhook(session.get(Webhook, delivery.webhook_id), delivery.webhook_id)
            state = replay.target_state(webhook.state, webhook.resume)
            if not replay.reopen(session.connection(), [delivery_id], state):
                why = (
                    "is held: it goes out when its webhook is resumed"
                    if delivery.state == "held"
                    else "has not been tried yet, or is being sent. If it waits, try it now instead"
                )
                raise Conflict(f"Delivery {delivery_id} {why}.")
            record(
                session.connection(), f"webhook {delivery.webhook_id}", f"delivery {delivery_id} sent again"
            )
            session.expire(delivery)
            row_or_404(session.get(Delivery, delivery_id), f"delivery {delivery_id}")
        self._waker.wake_once()
        return delivery

    def now(self, delivery_id: int) -> Facts:
        """Make a delivery that waits due at once, with the earlier ones of its call.

        Its webhook's hold ends: back-off, circuit breaker and Retry-After. Returns how the delivery stood.
        Raises Conflict where it does not wait.
        """
        with self._store.read() as session:
            delivery = row_or_404(session.get(Delivery, delivery_id), f"delivery {delivery_id}")
            existing_webhook(session.get(Webhook, delivery.webhook_id), delivery.webhook_id)
            facts = standing.of_deliveries(session, [delivery_id])[delivery_id]
            _check_waits(delivery_id, facts)
        with self._store.direct() as direct:
            at_ms = now_ms()
            now.lift_holds(direct, delivery.webhook_id, at_ms)
            now.hurry_delivery(direct, delivery.webhook_id, delivery.thread_key, delivery_id, at_ms)
            record(direct, f"webhook {delivery.webhook_id}", f"delivery {delivery_id} tried now")
        self._waker.wake_once()
        return facts


def _check_waits(delivery_id: int, facts: Facts) -> None:
    """Raise Conflict where there is nothing that "now" could hurry."""
    if facts.state == "held":
        why = f"is held: resume webhook {facts.webhook_id} to send it"
    elif facts.state != "pending":
        why = f"is {facts.state}: resend it to send it again"
    elif facts.sending:
        why = "is being sent now"
    elif facts.converting:
        why = "is sent as soon as its recording is converted"
    else:
        return
    raise Conflict(f"Delivery {delivery_id} {why}.")


_STORY = (
    orm.joinedload(Event.location),
    orm.selectinload(Event.deliveries).joinedload(Delivery.webhook),
)
_WHOLE = (
    orm.joinedload(Delivery.event),
    orm.joinedload(Delivery.webhook).joinedload(Webhook.location),
    orm.selectinload(Delivery.log),
)
