"""The doors of phone systems that post in a form of their own: ``/api/pbx/SYSTEM/t/TOKEN``."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from flask import Blueprint, Response, jsonify, request

from webhooks.errors import FieldError, InvalidEvent, Unauthorised, Unreadable
from webhooks.pbx import dialplan, freeswitch, grandstream, phones, threecx, yeastar
from webhooks.pbx.body import Body, read_object
from webhooks.pbx.finished import Site, Told
from webhooks.pbx.unknown import UnknownWord
from webhooks.services.container import services
from webhooks.services.phone_systems import Sender, Taken
from webhooks.web.ingest.tokens import authenticate_location
from webhooks.web.shared.access import by_token
from webhooks.web.shared.bodies import read_body, refuse_coded

blueprint = Blueprint("ingest_phone_systems", __name__)

_FIELDS: Final = 50  # of a form, or of a query

_TRANSLATORS: Final[Mapping[str, Callable[[bytes, Site], Told]]] = {
    "3cx": lambda body, site: threecx.translate(read_object(body)),
    "yeastar": lambda body, site: yeastar.translate(read_object(body), site),
    "grandstream": lambda body, site: grandstream.translate(grandstream.read(body), site),
    "freeswitch": lambda body, site: freeswitch.translate(freeswitch.read(body), site),
    "dialplan": lambda body, site: dialplan.translate(_form(body)),
}


@blueprint.post("/api/pbx/<any('3cx', yeastar, grandstream, freeswitch, dialplan):system>")
@blueprint.post("/api/pbx/<any('3cx', yeastar, grandstream, freeswitch, dialplan):system>/t/<token>")
@by_token
def receive(system: str, token: str | None = None) -> tuple[Response, int]:
    """Store what a phone system tells; the response goes out once it is on disk."""
    return _receive(system, token)


@blueprint.post("/")
@by_token
def receive_without_path() -> tuple[Response, int]:
    """Store a call record of a Grandstream UCM, which may have no field for an address's path."""
    return _receive("grandstream", None)


@blueprint.get("/api/pbx/phones/t/<token>/<event>")
@by_token
def receive_action(token: str, event: str) -> tuple[Response, int]:
    """Store what a desk phone tells by one of its Action URLs."""
    sender = _sender(token)
    # A phone may append a query of its own: each name counts once, the first.
    query = dict(request.args.items())
    so_far = services().phone_systems.told(sender.location_id, phones.call_id(query))
    told = _read(lambda: phones.translate(event, query, so_far))
    return _answer(services().phone_systems.take(sender, "phones", told))


def _receive(system: str, token: str | None) -> tuple[Response, int]:
    sender = _sender(token)
    body = read_body(services().settings.max_body)
    refuse_coded()
    if system == "yeastar" and sender.signing_secret is not None:
        _check_signature(body, sender.signing_secret)
    told = _read(lambda: _TRANSLATORS[system](body, sender.site))
    return _answer(services().phone_systems.take(sender, system, told))


def _read(translate: Callable[[], Told]) -> Told:
    """Translate. A message of an unknown kind tells nothing but that: refused, the PBX would repeat it."""
    try:
        return translate()
    except UnknownWord as word:
        return Told(str(word), unknown=[str(word)])


def _sender(token: str | None) -> Sender:
    credential = authenticate_location(token)
    return services().phone_systems.sender(credential.token_hash, credential.namespace)


def _check_signature(body: bytes, secret: str) -> None:
    signature = request.headers.get("X-Signature", "")
    if not yeastar.is_signed(body, signature, secret):
        raise Unauthorised(
            "X-Signature is not this body's: enter the webhook's secret on the location's page again."
            if signature
            else "X-Signature is missing: set a secret at the phone system's webhook, or remove it here."
        )


def _answer(taken: Taken) -> tuple[Response, int]:
    events = [
        {"id": event.id, "deliveries": event.deliveries, "duplicate": event.duplicate}
        for event in taken.accepted
    ]
    fresh = taken.waiting or any(not event.duplicate for event in taken.accepted)
    return jsonify(events=events, waiting=taken.waiting), 202 if fresh else 200


def _form(body: bytes) -> Body:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:  # UnicodeDecodeError is one
        raise Unreadable(f"The body is not a form in utf-8 of at most {_FIELDS} fields.") from None
    if len(dict(pairs)) < len(pairs):
        raise InvalidEvent([FieldError("", "has a field twice")])
    return Body(dict(pairs))
