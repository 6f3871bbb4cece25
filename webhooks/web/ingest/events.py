"""``POST /api/events``: where PBXs post what happens (contract, section 2)."""

import uuid

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

from webhooks.events.schema import IncomingEvent, parse_form, parse_json
from webhooks.events.storage import Accepted
from webhooks.outbound.user_agent import USER_AGENT_PREFIX
from webhooks.services.container import services
from webhooks.web.ingest.tokens import sender
from webhooks.web.shared.access import by_token
from webhooks.web.shared.bodies import read_body, refuse_coded

blueprint = Blueprint("hook", __name__)


@blueprint.post("/api/events")
@blueprint.post("/api/events/t/<token>")
@by_token
def take(token: str | None = None) -> tuple[Response, int]:
    """Take an event or a batch; answered once it is on disk."""
    if request.user_agent.string.startswith(USER_AGENT_PREFIX):
        raise Forbidden("This is a delivery of an appliance like this one: taken in, it would go round.")
    location, namespace = sender(token)
    events, batch = _read(namespace)
    accepted = services().intake.submit(location, events)
    status = 200 if all(one.duplicate for one in accepted) else 202
    return jsonify(_batch_answer(accepted) if batch else _answer(accepted[0])), status


def _read(namespace: uuid.UUID) -> tuple[list[IncomingEvent], bool]:
    kind = request.mimetype
    # Before it is judged by its head: who is answered in the middle of sending sees a broken connection.
    body = read_body(services().settings.max_body)
    refuse_coded()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return parse_json(body, namespace)
    if kind == "application/x-www-form-urlencoded":
        return [parse_form(body, request.mimetype_params.get("charset", "utf-8"), namespace)], False
    raise UnsupportedMediaType(
        f"Content-Type {kind or 'missing'}: send application/json or application/x-www-form-urlencoded."
    )


def _answer(one: Accepted) -> dict[str, object]:
    answer: dict[str, object] = {"id": one.id, "deliveries": one.deliveries}
    if one.duplicate:
        answer["duplicate"] = True
    return answer


def _batch_answer(accepted: list[Accepted]) -> dict[str, object]:
    duplicates = sum(one.duplicate for one in accepted)
    return {
        "accepted": len(accepted) - duplicates,
        "duplicates": duplicates,
        "events": [
            {"id": one.id, "deliveries": one.deliveries, "duplicate": one.duplicate} for one in accepted
        ],
    }
