"""``POST /api/media``: a media event with its recording."""

import uuid
from collections.abc import Iterator
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import UnsupportedMediaType

from webhooks.errors import FieldError, InvalidEvent, TooLarge, Unreadable
from webhooks.events.recording_intake import AcceptedMedia
from webhooks.events.schema import MediaEvent, parse_media
from webhooks.media.storage import Upload
from webhooks.services.container import services
from webhooks.web.ingest.tokens import authenticate_location
from webhooks.web.shared import slots
from webhooks.web.shared.access import by_token
from webhooks.web.shared.bodies import read_body, refuse_coded, remember
from webhooks.web.shared.multipart import receive as receive_parts

blueprint = Blueprint("ingest_recordings", __name__)
_PIECE_BYTES: Final = 1 << 16
_FORM_BYTES: Final = 1 << 16  # for the form's own lines


@blueprint.post("/api/media")
@blueprint.post("/api/media/t/<token>")
@by_token
def receive(token: str | None = None) -> tuple[Response, int]:
    """Store an event and its recording; the response goes out once both are on disk."""
    credential = authenticate_location(token)
    with slots.uploads.take(), services().recording_intake.upload(_announced()) as upload:
        event, name = _read(upload, credential.namespace)
        event = services().recorded_calls.relate(credential.token_hash, event)
        accepted = services().recording_intake.take(credential.token_hash, event, upload, name)
    return jsonify(_answer(accepted)), 202 if accepted.media_id else 200


def _announced() -> int:
    settings = services().settings
    announced = request.content_length or 0
    most = settings.max_media + settings.max_body + _FORM_BYTES
    if announced > most:
        raise TooLarge(f"The recording is longer than {settings.max_media:,} bytes (SPOKE_MAX_MEDIA).")
    return announced


def _read(upload: Upload, namespace: uuid.UUID) -> tuple[MediaEvent, str | None]:
    """The event and the file's name; the file itself is in ``upload``."""
    refuse_coded()
    most = services().settings.max_body
    if request.mimetype == "application/json":
        event = parse_media(read_body(most), namespace)
        return event, services().recording_intake.collect(event, upload)
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != "multipart/form-data" or not boundary:
        raise UnsupportedMediaType(
            f"Content-Type {request.mimetype or 'missing'}: send multipart/form-data with the parts 'event' "
            "(JSON) and 'file'; or application/json, where the event names media_path or media_url."
        )
    parts = receive_parts(_pieces(), boundary.encode("latin-1", "replace"), most, upload.write)
    if parts.event is None:
        raise InvalidEvent([FieldError("", "has no part 'event': add it, with the event's JSON")])
    remember(parts.event)
    event = parse_media(parts.event, namespace)
    if not parts.file:
        return event, services().recording_intake.collect(event, upload)
    if event.path is not None or event.url is not None:
        raise InvalidEvent(
            [FieldError("", "has a recording twice: a file, and media_path or media_url; give one of them")]
        )
    return event, parts.filename


def _pieces() -> Iterator[bytes]:
    """The body as it arrives."""
    stream: Any = request.environ["wsgi.input"]
    left = request.content_length
    if left is None and not request.environ.get("wsgi.input_terminated"):
        return
    try:
        while left is None or left > 0:
            piece = stream.read(_PIECE_BYTES if left is None else min(_PIECE_BYTES, left))
            if not piece:
                break
            left = None if left is None else left - len(piece)
            yield piece
    except OSError as error:
        raise Unreadable(f"The body could not be read: {type(error).__name__}.") from None
    if left:
        raise Unreadable(f"The body broke off: {left:,} bytes did not arrive.")


def _answer(accepted: AcceptedMedia) -> dict[str, object]:
    answer: dict[str, object] = {"id": accepted.event.id, "deliveries": accepted.event.deliveries}
    if accepted.media_id is None:
        return answer | {"duplicate": True}
    return answer | {"media_id": accepted.media_id}
