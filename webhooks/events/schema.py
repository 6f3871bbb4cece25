"""What an event may look like (contract, section 2), and the exact JSON text that receivers get."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from webhooks.catalogue import CALL_FIELDS, CALL_STATUSES, CALL_TYPES, EVENT_TYPES, MEDIA_FIELDS, MEDIA_TYPES
from webhooks.errors import FieldError, InvalidEvent, InvalidForm
from webhooks.events.forms import read_form
from webhooks.events.strict_json import Member, Members, pointer, read
from webhooks.events.timestamps import iso_time, written
from webhooks.media.filenames import clean
from webhooks.media.payload import media_fields

MAX_BATCH: Final = 1000
MAX_TEXT: Final = 1000
MAX_ID: Final = 200
_MAX_ERRORS: Final = 20
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONG_KEY: Final = 180  # a thread_id longer than this is known by its UUIDv5: it has to fit an index


@dataclass(frozen=True, slots=True)
class Recording:
    """A file in its place, and the name that people see. ``size`` in bytes; ``milliseconds`` as it says."""

    id: str
    filename: str
    size: int
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """A valid event. ``subtype`` is "" for media; ``body`` is what receivers get, as JSON text.

    ``media`` is the recording that we keep for it.
    """

    id: str
    thread_key: str
    type: str
    subtype: str
    body: str
    media: Recording | None = None

    @property
    def uid(self) -> bytes:
        """The id's 16 bytes: the same however its letters were written."""
        return uuid.UUID(self.id).bytes


def _text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    raise PydanticCustomError("text", 'has to be text: put it in quotes, as in "0123"')


def _id(value: str | None) -> str | None:
    if value is None:
        return None
    if not value.strip():  # all of these would be one event
        raise PydanticCustomError("id", "is blank: leave it out where there is none")
    if len(value) > MAX_ID:
        raise PydanticCustomError("id", "is longer than {most} characters", {"most": MAX_ID})
    return value


def _time(value: Any) -> Any:
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        return iso_time(value)
    except ValueError:
        raise PydanticCustomError(
            "time",
            "has to be an ISO 8601 time such as 2023-11-14T21:45:22Z (a + in a form is written %2B), "
            "or seconds since 1970 (no milliseconds)",
        ) from None


def _one_of(words: dict[str, str]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or value not in words:
            raise PydanticCustomError("word", "has to be one of {words}", {"words": ", ".join(words)})
        return value

    return BeforeValidator(check)


_Text = Annotated[str | None, Field(max_length=MAX_TEXT), BeforeValidator(_text)]


class _Known(BaseModel):
    """The fields with a meaning; all further ones are passed on unread."""

    model_config = ConfigDict(frozen=True)

    type: Annotated[str, _one_of(EVENT_TYPES)]
    subtype: str | None = None
    id: Annotated[str | None, BeforeValidator(_id), BeforeValidator(_text)] = None
    thread_id: Annotated[str | None, BeforeValidator(_text)] = None
    to: _Text = None
    from_: _Text = Field(default=None, alias="from")
    to_name: _Text = None
    from_name: _Text = None
    timestamp: Annotated[str | None, BeforeValidator(_time)] = None


_MESSAGES: Final = {
    "missing": "is missing",
    "string_too_long": f"is longer than {MAX_TEXT:,} characters",
}
_KNOWN: Final = tuple(field.alias or name for name, field in _Known.model_fields.items())


def thread_key(thread_id: str) -> str:
    """The indexable name of a call: the ``thread_id``, or its UUIDv5 where that is long."""
    if len(thread_id) <= _LONG_KEY:
        return thread_id
    return f"uuid5:{uuid.uuid5(uuid.NAMESPACE_OID, thread_id)}"


def parse_json(body: bytes, namespace: uuid.UUID) -> tuple[list[IncomingEvent], bool]:
    """An event or a batch; the second value says whether it was a batch.

    ``namespace``: in which an id that is no UUID becomes one.

    Raises:
        Unreadable: not JSON. InvalidEvent: all faults found, each with its pointer.
    """
    document = read(body)
    if isinstance(document, dict):
        return [_event(document, pointer, namespace)], False
    if not 1 <= len(document) <= MAX_BATCH:
        raise InvalidEvent(
            [FieldError("", f"has to be a batch of 1 to {MAX_BATCH:,} events, not {len(document):,}")]
        )
    events: list[IncomingEvent] = []
    errors: list[FieldError] = []
    for index, members in enumerate(document):
        try:
            events.append(_event(members, partial(pointer, index), namespace))
        except InvalidEvent as fault:
            errors += fault.errors
    if errors:
        raise InvalidEvent(errors[:_MAX_ERRORS])
    return events, True


def parse_form(body: bytes, charset: str, namespace: uuid.UUID) -> IncomingEvent:
    """An event as ``application/x-www-form-urlencoded``: every field is text.

    Raises:
        Unsupported, Unreadable: as read_form does. InvalidForm: as for JSON, with the fields' names.
    """
    members = read_form(body, charset)
    try:
        return _event(members, str, namespace)
    except InvalidEvent as fault:
        raise InvalidForm(fault.errors) from None


def make_event(fields: dict[str, Any]) -> IncomingEvent:
    """An event of our own making (command line, test buttons), by the same rules."""
    return _event({key: Member.of(key, value) for key, value in fields.items()}, pointer, uuid.NAMESPACE_OID)


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """A media event on its way in. ``path`` or ``url`` say where its recording is, if no file came."""

    members: Members
    type: str
    filename: str | None
    path: str | None
    url: str | None
    namespace: uuid.UUID

    def with_recording(
        self, media_id: str, name: str | None, size: int, milliseconds: int | None
    ) -> IncomingEvent:
        """The event with its recording. ``name`` is the file's, for an event that names none."""
        filename = clean(self.filename or name, fallback=self.type)
        recording = Recording(media_id, filename, size, milliseconds)
        members = {key: member for key, member in self.members.items() if key not in _REFERENCES}
        members |= {key: Member.of(key, value) for key, value in media_fields(recording.filename).items()}
        return replace(_event(members, pointer, self.namespace), media=recording)


_REFERENCES: Final = ("media_path", "media_url")


def parse_media(body: bytes, namespace: uuid.UUID) -> MediaEvent:
    """The event of a recording, as JSON.

    Raises:
        Unreadable: not JSON. InvalidEvent: not one media event, or its fields are not right.
    """
    document = read(body)
    if not isinstance(document, dict):
        raise InvalidEvent([FieldError("", "has to be one event (an object)")])
    event = _event(document, pointer, namespace)
    if event.type in CALL_TYPES:
        raise InvalidEvent([FieldError("/type", f"has to be one of {', '.join(MEDIA_TYPES)}: it has a file")])
    texts = {name: document[name].value for name in ("filename", *_REFERENCES) if name in document}
    wrong = [name for name, value in texts.items() if value is not None and not isinstance(value, str)]
    if wrong:
        raise InvalidEvent([FieldError(pointer(name), "has to be text") for name in wrong])
    if texts.get("media_path") and texts.get("media_url"):
        raise InvalidEvent([FieldError("/media_url", "cannot be there beside media_path: give one of them")])
    return MediaEvent(
        document,
        event.type,
        texts.get("filename"),
        texts.get("media_path"),
        texts.get("media_url"),
        namespace,
    )


def _event(members: Members, place: Callable[[str], str], namespace: uuid.UUID) -> IncomingEvent:
    """``place``: what a fault says of where a field is."""
    try:
        known = _Known.model_validate({name: members[name].value for name in _KNOWN if name in members})
    except ValidationError as error:
        raise InvalidEvent(
            [
                FieldError(place(str(fault["loc"][0])), _MESSAGES.get(fault["type"], fault["msg"]))
                for fault in error.errors(include_url=False)
            ]
        ) from None
    _check_subtype(known, place)
    event_id = known.id or str(uuid.uuid4())
    if not _UUID.fullmatch(event_id):
        event_id = str(uuid.uuid5(namespace, event_id))
    return IncomingEvent(
        id=event_id,
        thread_key=thread_key(known.thread_id or event_id),
        type=known.type,
        subtype=known.subtype or "",
        body=_compose(known, event_id, _rewritten(known, event_id, members)),
    )


def _check_subtype(known: _Known, place: Callable[[str], str]) -> None:
    at = place("subtype")
    if known.type not in CALL_TYPES:
        if known.subtype:
            raise InvalidEvent([FieldError(at, f"has to be left out: a {known.type} has none")])
    elif not known.subtype:
        raise InvalidEvent([FieldError(at, f"is missing: one of {', '.join(CALL_STATUSES)}")])
    elif known.subtype not in CALL_STATUSES:
        raise InvalidEvent([FieldError(at, f"has to be one of {', '.join(CALL_STATUSES)}")])


def _rewritten(known: _Known, event_id: str, members: Members) -> Members:
    """The members with what is not sent on as it came: an id that is no UUID, a time in seconds."""
    new: Members = {}
    if known.id is not None and known.id != event_id:
        new["id"] = Member.of("id", event_id)
        # The first of the further fields. One of that name that the event brings gives way.
        new["source_id"] = Member(known.id, '"source_id"', members["id"].text)
    if known.timestamp is not None and known.timestamp != members["timestamp"].value:
        new["timestamp"] = Member.of("timestamp", known.timestamp)
    return new | {name: member for name, member in members.items() if name not in new} if new else members


def _compose(known: _Known, event_id: str, members: Members) -> str:
    """The seed's fields in the seed's order, then all others as they came, spelling and all."""
    call = known.type in CALL_TYPES
    made = {
        "id": lambda: json.dumps(event_id),
        "thread_id": lambda: json.dumps(event_id),
        "timestamp": lambda: json.dumps(written(datetime.now(UTC))),
    }
    parts: list[str] = []
    for name in CALL_FIELDS if call else MEDIA_FIELDS:
        member = members.get(name)
        if member is not None and member.value is not None:
            text = member.text
        elif name in made:
            text = made[name]()
        else:
            text = '""' if name in CALL_FIELDS else "null"
        parts.append(f'"{name}":{text}')
    if not call and known.timestamp is not None:
        parts.append(f'"timestamp":{members["timestamp"].text}')
    seeded = {*(CALL_FIELDS if call else MEDIA_FIELDS), "timestamp", "subtype"}
    parts += [f"{member.key_text}:{member.text}" for name, member in members.items() if name not in seeded]
    return "{" + ",".join(parts) + "}"
