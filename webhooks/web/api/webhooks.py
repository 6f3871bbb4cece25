"""``/api/webhooks``: webhooks, and what people do with one. REST hooks come and go by POST and DELETE."""

import contextlib
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from webhooks.db.models import Webhook
from webhooks.errors import Invalid, NotFound, Stale
from webhooks.outbound.options import Options
from webhooks.services.container import services
from webhooks.services.integrations import INTEGRATIONS, WEBHOOKS, ZOHO
from webhooks.services.parsing import Input, Name
from webhooks.services.replays import ReplayInput
from webhooks.services.webhook_input import WebhookChanges, WebhookInput
from webhooks.web.api.keys import new_blueprint, place_of_key, present_key
from webhooks.web.api.operations import Listed, changed_meanwhile, check_unchanged, operation
from webhooks.web.api.shapes import CallStatus, EventType, ListQuery, Shown, State, Time

blueprint = new_blueprint("webhooks")


class NewWebhook(WebhookInput):
    """A webhook to add at ``location``, by its name; the key of an integration has one already."""

    location: Name | None = Field(default=None, title="Location")


class WebhookShown(Shown):
    """A webhook. No ``types``, no ``statuses``: any. Of ``options.headers`` the values are hidden."""

    id: int
    location: str
    kind: Annotated[str, WithJsonSchema({"type": "string", "enum": ["call", "media"]})]
    types: tuple[EventType, ...]
    statuses: tuple[CallStatus, ...]
    url: str
    description: str
    state: State
    reason: str | None
    options: Annotated[dict[str, Any], WithJsonSchema(Options.model_json_schema())]
    created_at: Time


class WebhookMade(WebhookShown):
    """A webhook as it was made; ``secret`` is not shown again."""

    secret: str


class ResumeBody(Input):
    """Whether what is held is dropped instead of sent."""

    drop_held: bool = False


class RotateBody(Input):
    """Whether the old secret ends at once instead of in 24 hours."""

    at_once: bool = False


class ReplayBody(ReplayInput):
    """A replay. ``preview``: only count what it would send."""

    preview: bool = False


class Tested(Shown):
    """A test event: its ``id`` on the wire, and the delivery to look at."""

    id: str
    deliveries: int
    delivery: int


class Paused(Shown):
    """``held``: how many deliveries are held now."""

    id: int
    state: State
    held: int


class Resumed(Shown):
    """How many held deliveries were sent on, or dropped."""

    id: int
    state: State
    sent: int
    dropped: int


class Rotated(Shown):
    """The new secret, not shown again; the old one signs as well until ``both_until``."""

    id: int
    secret: str
    both_until: Time | None


class Hurried(Shown):
    """``waiting``: how many deliveries wait, counted up to 10,001."""

    id: int
    waiting: int


class ReplayBegun(Shown):
    """``replay`` is the id to ask for its progress."""

    id: int
    replay: int
    state: str
    total: int


class ReplayCounted(Shown):
    """``matching``: how many deliveries such a replay would send again."""

    id: int
    matching: int


@blueprint.get("/webhooks")
@operation(query=ListQuery, answers={200: list[WebhookShown]})
def index(wanted: ListQuery) -> Listed:
    """List the webhooks, newest first."""
    rows, older = services().webhooks.page(wanted.before, wanted.limit, present_key().connection)
    return Listed([WebhookShown(**_fields(row)) for row in rows], older)


@blueprint.post("/webhooks")
@operation(body=NewWebhook, answers={201: WebhookMade}, errors=(404,))
def add(given: NewWebhook) -> WebhookMade:
    """Add a webhook. Its secret is in this answer alone."""
    location, connection = place_of_key(given.location), present_key().connection
    if location is None:
        raise Invalid("Give the location, by its name.", "location")
    integration = WEBHOOKS if connection is None else INTEGRATIONS[connection.integration]
    webhook = services().webhooks.add(location, given, integration)
    return WebhookMade(**_fields(webhook), secret=webhook.secret)


@blueprint.get("/webhooks/<int:webhook_id>")
@operation(answers={200: WebhookShown}, errors=(404,))
def show(webhook_id: int) -> WebhookShown:
    """Show a webhook."""
    return WebhookShown(**_fields(_own(webhook_id)))


@blueprint.patch("/webhooks/<int:webhook_id>")
@operation(body=WebhookChanges, answers={200: WebhookShown}, errors=(404, 409, 412), conditional=True)
def edit(webhook_id: int, given: WebhookChanges) -> WebhookShown:
    """Change a webhook: what is left out stays. An option that is null goes back to its default."""
    present = _own(webhook_id)
    version = present.version if check_unchanged(WebhookShown(**_fields(present))) else None
    try:
        return WebhookShown(**_fields(services().webhooks.edit(webhook_id, given.given(), version)))
    except Stale:
        raise changed_meanwhile() from None


@blueprint.delete("/webhooks/<int:webhook_id>")
@operation(answers={204: None}, errors=(404,))
def delete(webhook_id: int) -> None:
    """Delete a webhook and drop what it has not sent. Again is no error."""
    if _own(webhook_id, deleted=True).deleted_at is None:  # 404 for one that never was
        # By the integration's own key the Zap itself unsubscribes.
        with contextlib.suppress(NotFound):  # deleted in this moment
            services().webhooks.delete(webhook_id, unsubscribed=present_key().connection is not None)


@blueprint.post("/webhooks/<int:webhook_id>/test")
@operation(answers={202: Tested}, errors=(404,))
def test(webhook_id: int) -> Tested:
    """Send a test event to this webhook alone."""
    sent = services().events.send_test(_own(webhook_id).id)
    delivery = services().deliveries.of_event(webhook_id, sent.id)
    return Tested(id=sent.id, deliveries=sent.deliveries, delivery=delivery.id)


@blueprint.post("/webhooks/<int:webhook_id>/pause")
@operation(answers={200: Paused}, errors=(404, 409))
def pause(webhook_id: int) -> Paused:
    """Hold a webhook's deliveries until it is resumed."""
    held = services().webhooks.pause(_own(webhook_id).id)
    return Paused(id=webhook_id, state="paused", held=held)


@blueprint.post("/webhooks/<int:webhook_id>/resume")
@operation(body=ResumeBody, body_optional=True, answers={200: Resumed}, errors=(404, 409))
def resume(webhook_id: int, given: ResumeBody) -> Resumed:
    """Resume a paused or disabled webhook, and send what is held, or drop it."""
    moved = services().webhooks.resume(_own(webhook_id).id, drop_held=given.drop_held)
    sent, dropped = (0, moved) if given.drop_held else (moved, 0)
    return Resumed(id=webhook_id, state="active", sent=sent, dropped=dropped)


@blueprint.post("/webhooks/<int:webhook_id>/rotate")
@operation(body=RotateBody, body_optional=True, answers={200: Rotated}, errors=(404, 409))
def rotate(webhook_id: int, given: RotateBody) -> Rotated:
    """Make a new secret. For 24 hours the old one signs as well."""
    webhook = services().webhooks.rotate_secret(_own(webhook_id).id, at_once=given.at_once)
    return Rotated(id=webhook_id, secret=webhook.secret, both_until=webhook.both_until)


@blueprint.post("/webhooks/<int:webhook_id>/now")
@operation(answers={202: Hurried}, errors=(404, 409))
def now(webhook_id: int) -> Hurried:
    """Try all deliveries that wait now, past back-off, circuit breaker and Retry-After."""
    waiting, _ = services().webhooks.now(_own(webhook_id).id)
    return Hurried(id=webhook_id, waiting=waiting)


@blueprint.post("/webhooks/<int:webhook_id>/replay")
@operation(body=ReplayBody, answers={202: ReplayBegun, 200: ReplayCounted}, errors=(404, 409))
def replay(webhook_id: int, given: ReplayBody) -> ReplayBegun | tuple[ReplayCounted, int]:
    """Send again what was accepted in a span of time and failed, or only count it."""
    _own(webhook_id)
    if given.preview:
        return ReplayCounted(id=webhook_id, matching=services().replays.count(webhook_id, given)), 200
    job = services().replays.begin(webhook_id, given)
    return ReplayBegun(id=webhook_id, replay=job.id, state=job.state, total=job.total)


def _own(webhook_id: int, *, deleted: bool = False) -> Webhook:
    """A webhook that the key may see: of an integration's key, only those of its connection.

    The one of a connection to Zoho is no webhook to those outside.
    """
    webhook, connection = services().webhooks.get(webhook_id, deleted=deleted), present_key().connection
    if webhook.integration == ZOHO.name:
        raise NotFound(f"There is no webhook {webhook_id}.")
    if connection is not None and (webhook.location_id, webhook.integration) != (
        connection.location_id, connection.integration,
    ):  # fmt: skip
        raise NotFound(f"There is no webhook {webhook_id}.")
    return webhook


def _fields(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id, "location": webhook.location.name, "kind": webhook.kind, "types": webhook.types,
        "statuses": webhook.statuses, "url": webhook.url, "description": webhook.description,
        "state": webhook.state, "reason": webhook.reason,
        "options": Options.model_validate(webhook.options).shown(), "created_at": webhook.created_at,
    }  # fmt: skip
