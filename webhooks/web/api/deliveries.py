"""``/api/deliveries``: the delivery log, one delivery with its attempts, sending one again, or now."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES, FILTER_LABELS, STATES
from webhooks.db.models import Attempt, Delivery
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.delivery_state import Facts, state_of
from webhooks.services.parsing import Moment, one_of
from webhooks.web.api.keys import new_blueprint
from webhooks.web.api.operations import Listed, operation
from webhooks.web.api.shapes import EventType, ListQuery, Row, Shown, Time, words

blueprint = new_blueprint("deliveries")


class DeliveryQuery(ListQuery):
    """Which deliveries to list: the log's filter. ``thread_id`` is a whole one."""

    webhook: Row | None = Field(default=None, title="Webhook")
    state: Annotated[str, one_of(FILTER_LABELS), words(FILTER_LABELS)] | None = Field(
        default=None, title="State"
    )
    thread_id: str | None = Field(default=None, title="Call")
    type: Annotated[str, one_of(EVENT_TYPES), words(EVENT_TYPES)] | None = Field(default=None, title="Event")
    status: Annotated[str, one_of(CALL_STATUSES), words(CALL_STATUSES)] | None = Field(
        default=None, title="Call status"
    )
    since: Moment | None = Field(default=None, title="Accepted since")
    until: Moment | None = Field(default=None, title="Accepted until")

    def filter(self) -> DeliveryFilter:
        """The same as the delivery log takes it."""
        return DeliveryFilter(
            webhook=self.webhook, state=self.state, call=self.thread_id, type=self.type, status=self.status,
            since=self.since, until=self.until,
        )  # fmt: skip


class DeliveryShown(Shown):
    """A delivery. ``event`` is its webhook-id; ``phase`` and ``explanation`` say how it stands in more words,
    ``next_at`` when something happens next, if that is known."""

    id: int
    event: str
    webhook: int
    type: EventType
    status: Annotated[str | None, WithJsonSchema({"enum": [*CALL_STATUSES, None]})]
    state: Annotated[str, words(STATES)]
    reason: str | None
    phase: str
    explanation: str
    attempts: int
    next_at: Time | None
    accepted_at: Time
    settled_at: Time | None


class AttemptShown(Shown):
    """One request. ``status`` is the HTTP status, null where no answer came: then ``error`` says why."""

    n: int
    started_at: Time
    milliseconds: int
    status: int | None
    error: str | None
    request_headers: Any
    response_headers: Any
    response_body: str | None


class DeliveryWhole(DeliveryShown):
    """A delivery with all its attempts, in order."""

    log: tuple[AttemptShown, ...]


@blueprint.get("/deliveries")
@operation(query=DeliveryQuery, answers={200: list[DeliveryShown]})
def index(wanted: DeliveryQuery) -> Listed:
    """List deliveries, newest first. A page may have fewer than asked for and yet a next one."""
    page = services().delivery_log.page(wanted.filter(), wanted.before, wanted.limit)
    return Listed([DeliveryShown(**_fields(row, page.facts[row.id])) for row in page.rows], page.older)


@blueprint.get("/deliveries/<int:delivery_id>")
@operation(answers={200: DeliveryWhole}, errors=(404,))
def show(delivery_id: int) -> DeliveryWhole:
    """Show a delivery with every attempt."""
    delivery = services().deliveries.get(delivery_id)
    fields = _fields(delivery, services().deliveries.facts_of(delivery_id))
    return DeliveryWhole(**fields, log=tuple(map(_attempt, delivery.log)))


@blueprint.post("/deliveries/<int:delivery_id>/resend")
@operation(answers={202: DeliveryShown}, errors=(404, 409))
def resend(delivery_id: int) -> DeliveryShown:
    """Send a delivery again, with the same webhook-id; it is held where its webhook is paused."""
    services().deliveries.resend(delivery_id)
    return _shown(delivery_id)


@blueprint.post("/deliveries/<int:delivery_id>/now")
@operation(answers={202: DeliveryShown}, errors=(404, 409))
def now(delivery_id: int) -> DeliveryShown:
    """Try a waiting delivery now, whatever it waits for; earlier messages of its call go first."""
    services().deliveries.now(delivery_id)
    return _shown(delivery_id)


def _shown(delivery_id: int) -> DeliveryShown:
    delivery = services().deliveries.get(delivery_id)
    return DeliveryShown(**_fields(delivery, services().deliveries.facts_of(delivery_id)))


def _fields(delivery: Delivery, facts: Facts) -> dict[str, Any]:
    stands = state_of(facts, datetime.now(UTC), lambda moment: moment.isoformat(timespec="seconds"))
    return {
        "id": delivery.id, "event": delivery.event.message_id, "webhook": delivery.webhook_id,
        "type": delivery.type, "status": delivery.subtype or None, "state": delivery.state,
        "reason": delivery.reason, "phase": stands.name, "explanation": stands.sentence,
        "attempts": delivery.attempts, "next_at": stands.until, "accepted_at": delivery.created_at,
        "settled_at": delivery.settled_at,
    }  # fmt: skip


def _attempt(made: Attempt) -> AttemptShown:
    return AttemptShown(
        n=made.n, started_at=made.started_at, milliseconds=made.milliseconds, status=made.http_status,
        error=made.error, request_headers=json.loads(made.request_headers or "null"),
        response_headers=json.loads(made.response_headers or "null"), response_body=made.response_body,
    )  # fmt: skip
