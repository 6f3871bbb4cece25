"""The delivery log, a delivery with its call, an event, and sending a delivery again."""

import json
import shlex
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, url_for

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES, FILTER_LABELS
from webhooks.db.models import Attempt, Delivery, Event
from webhooks.errors import Invalid, NotFound
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.parsing import Input, RowNumber
from webhooks.web.shared.access import admin
from webhooks.web.ui.choices import location_choices, webhook_choices
from webhooks.web.ui.export import MOST
from webhooks.web.ui.following import follow
from webhooks.web.ui.page import PageQuery, notice, parse_query, plain, wants_fragment

blueprint = Blueprint("deliveries", __name__)
_SHORT: Final = 10  # deliveries on a webhook's page
_PASTED: Final = 8192  # characters of a body that fit into a command
_IN_STORY: Final = 20  # deliveries of one event in the story of a call
_SEARCHED: Final = 1000  # events that a page of unmatched ones searches


class LogQuery(PageQuery):
    """``short``: a webhook's page shows the newest few, in fewer columns."""

    short: str | None = None


class ShowQuery(Input):
    """``tried``: how many attempts it had when a person wanted it tried now."""

    tried: RowNumber | None = None


class StateQuery(Input):
    """``attempts``: how many the page shows already."""

    attempts: RowNumber = 0


@blueprint.get("/deliveries")
@admin
def index() -> Any:
    """The log; to htmx its rows alone, which ask for themselves again while they are the newest."""
    wanted, error = DeliveryFilter(), None
    try:
        wanted = parse_query(DeliveryFilter)
    except Invalid as fault:
        error = fault
    query = parse_query(LogQuery)
    rows = _rows(wanted, query)
    if wants_fragment():
        return render_template("deliveries/_rows.html", **rows)
    answer = render_template(
        "deliveries/index.html",
        **rows,
        **_choices(wanted),
        wanted=wanted,
        given=request.args,
        error=error,
        filtered=not wanted.is_open,
        before=query.before,
        address=_address(),
        purged=not rows["page"].rows and wanted.is_open and services().deliveries.purged(),
        most_exported=MOST,
        days=services().settings.retention_days,
    )
    return answer, 422 if error else 200


def _rows(wanted: DeliveryFilter, query: LogQuery) -> dict[str, Any]:
    """The values of the table of deliveries."""
    short = query.short is not None
    page = services().delivery_log.page(wanted, query.before, *([_SHORT] if short else []))
    again: dict[str, Any] = {**_address(), "short": 1} if short else _address()
    return {
        "page": page,
        "table_id": "latest-rows" if short else "rows",
        "columns": "short" if short else "all",
        "locations": location_choices(),
        "poll": None if query.before else url_for("deliveries.index", **again),
    }


def _choices(wanted: DeliveryFilter) -> dict[str, Any]:
    """The values of the filter's lists; a chosen webhook is among them, also when it is deleted."""
    webhooks = webhook_choices()
    if wanted.webhook is not None:
        webhooks.setdefault(wanted.webhook, str(wanted.webhook))
    return {
        "webhooks": webhooks,
        "types": EVENT_TYPES,
        "statuses": CALL_STATUSES,
        "states": FILTER_LABELS,
    }


def _address() -> dict[str, Any]:
    """The filter as the page's address has it, for links to further pages."""
    return {name: request.args[name] for name in DeliveryFilter.model_fields if request.args.get(name)}


@blueprint.get("/deliveries/<int:delivery_id>")
@admin
def show(delivery_id: int) -> Any:
    before = parse_query(ShowQuery).tried
    followed = None if before is None else follow(delivery_id, before)
    delivery = followed.delivery if followed else services().deliveries.get(delivery_id)
    payload = services().recordings.payload(delivery.event)
    return render_template(
        "deliveries/show.html",
        delivery=delivery,
        event=delivery.event,
        facts=followed.facts if followed else services().deliveries.facts_of(delivery_id),
        followed=followed,
        **_story(delivery.event),
        payload=payload,
        curl=as_curl(delivery, delivery.log[-1] if delivery.log else None, payload),
        **_recording(delivery.event_id),
    )


@blueprint.post("/deliveries/<int:delivery_id>/resend")
@admin
def resend(delivery_id: int) -> Any:
    delivery = services().deliveries.resend(delivery_id)
    held = " It is held until its webhook is resumed." if delivery.state == "held" else ""
    notice(f"Delivery {delivery_id} is queued again, with the same webhook-id.{held}")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id), 303)


@blueprint.post("/deliveries/<int:delivery_id>/now")
@admin
def now(delivery_id: int) -> Any:
    before = services().deliveries.now(delivery_id)
    notice(f"Delivery {delivery_id} is tried now.")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id, tried=before.attempts), 303)


@blueprint.get("/deliveries/<int:delivery_id>/state")
@admin
def state(delivery_id: int) -> Any:
    """How a delivery stands, and what can be done; it asks for itself again until the delivery is settled."""
    return render_template(
        "deliveries/_state.html",
        delivery=services().deliveries.get(delivery_id),
        facts=services().deliveries.facts_of(delivery_id),
        shown=parse_query(StateQuery).attempts,
    )


@blueprint.get("/events/<int:event_id>")
@admin
def event(event_id: int) -> Any:
    shown = services().deliveries.event(event_id)
    return render_template("deliveries/event.html", event=shown, **_story(shown), **_recording(event_id))


@blueprint.get("/events/<int:event_id>/body")
@admin
def body(event_id: int) -> Response:
    """The payload as a receiver gets it, whole: pages show its beginning."""
    return plain(services().recordings.payload(services().deliveries.event(event_id)))


@blueprint.get("/deliveries/<int:delivery_id>/attempts/<int:n>")
@admin
def answer(delivery_id: int, n: int) -> Response:
    """The body of an attempt's response, as far as it was kept."""
    for attempt in services().deliveries.get(delivery_id).log:
        if attempt.n == n:
            return plain(attempt.response_body or "")
    raise NotFound(f"Delivery {delivery_id} has no attempt {n}.")


@blueprint.get("/events/unmatched")
@admin
def unmatched() -> Any:
    before = parse_query(PageQuery).before
    events, older = services().deliveries.unmatched_events(_SEARCHED, before)
    return render_template(
        "deliveries/unmatched.html", events=events, older=older, before=before, looked_at=_SEARCHED
    )


def _story(event: Event) -> dict[str, Any]:
    """The events of the call, and how their deliveries stand, as far as they are shown."""
    story = services().deliveries.story(event)
    shown = [delivery.id for part in story for delivery in part.deliveries[:_IN_STORY]]
    return {"story": story, "standings": services().deliveries.facts(shown), "in_story": _IN_STORY}


def _recording(event_id: int) -> dict[str, Any]:
    """The event's recording, and where a player of this site finds it: a link without its host."""
    recording = services().recordings.of_event(event_id)
    if recording is None or recording.state != "ready":
        return {"recording": recording, "audio": None}
    link = urlsplit(services().recordings.fresh_link(recording.id))
    path = url_for("download.get", media_id=recording.id)
    return {"recording": recording, "audio": f"{path}?{link.query}"}


def as_curl(delivery: Delivery, attempt: Attempt | None, payload: str) -> str:
    """The request as a shell command, without custom headers: their values are not kept."""
    kept = json.loads(attempt.request_headers or "{}") if attempt else {"Content-Type": "application/json"}
    parts = ["curl", "-i", shlex.quote(delivery.webhook.url)]
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in kept.items()]
    if len(payload) <= _PASTED:
        parts.append(f"--data-binary {shlex.quote(payload)}")
    else:
        parts.append("--data-binary @body.json  # the body is too long to paste: save it from its page")
    return " \\\n  ".join([" ".join(parts[:3]), *parts[3:]])
