"""``POST /api/events``: where PBXs post their events."""

import uuid

from flask import Blueprint, Response, request
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

from webhooks.events.schema import IncomingEvent, parse_form, parse_json
from webhooks.outbound.user_agent import USER_AGENT_PREFIX
from webhooks.services.container import services
from webhooks.web.ingest.answers import status_and_body
from webhooks.web.ingest.shortcut import FAILURE
from webhooks.web.ingest.tokens import authenticate_location
from webhooks.web.shared.access import by_token
from webhooks.web.shared.bodies import read_body, refuse_coded

blueprint = Blueprint("ingest_events", __name__)


@blueprint.post("/api/events")
@blueprint.post("/api/events/t/<token>")
@by_token
def receive(token: str | None = None) -> Response:
    """Store an event or a batch; the response goes out once it is on disk. Most come by the shortcut."""
    if request.user_agent.string.startswith(USER_AGENT_PREFIX):
        raise Forbidden("This is a delivery of an appliance like this one: taken in, it would go round.")
    if FAILURE in request.environ:
        raise request.environ[FAILURE]
    credential = authenticate_location(token)
    events, batch = _read(credential.namespace)
    accepted = services().intake.submit(credential.token_hash, events)
    status, answer = status_and_body(accepted, batch)
    return Response(answer, status, mimetype="application/json")


def _read(namespace: uuid.UUID) -> tuple[list[IncomingEvent], bool]:
    kind = request.mimetype
    # Read before the head is judged: a response in the middle of an upload looks like a broken connection.
    body = read_body(services().settings.max_body)
    refuse_coded()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return parse_json(body, namespace)
    if kind == "application/x-www-form-urlencoded":
        return [parse_form(body, request.mimetype_params.get("charset", "utf-8"), namespace)], False
    raise UnsupportedMediaType(
        f"Content-Type {kind or 'missing'}: send application/json or application/x-www-form-urlencoded."
    )
