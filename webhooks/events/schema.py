"""Events as they come in: read, validated, and written as the exact JSON text that receivers get."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from webhooks.catalogue import CALL_FIELDS, CALL_TYPES, MEDIA_FIELDS, MEDIA_TYPES
from webhooks.errors import FieldError, InvalidEvent, InvalidForm
from webhooks.events.fields import EventFields, validated
from webhooks.events.forms import read_form
from webhooks.events.strict_json import Member, Members, pointer, read
from webhooks.events.timestamps import iso_time, written
from webhooks.media.filenames import clean
from webhooks.media.payload import compose
from webhooks.media.transcode import TYPE

MAX_BATCH: Final = 1000
_MAX_ERRORS: Final = 20
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONG_KEY: Final = 180  # a thread_id longer than this is fields by its UUIDv5: it has to fit an index


@dataclass(frozen=True, slots=True)
class Recording:
    """A file in its place. People see its ``filename``; ``milliseconds`` is the length that it states."""

    id: str
    filename: str
    size: int
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """A valid event. ``subtype`` is "" for media; ``body`` is the JSON text that receivers get.

    ``media`` is the recording that is kept for it.
    """

    id: str
    thread_key: str
    type: str
    subtype: str
    body: str
    media: Recording | None = None

    @property
    def uid(self) -> bytes:
        """The id's 16 bytes, the same for small and capital letters."""
        return uuid.UUID(self.id).bytes


def thread_key(thread_id: str) -> str:
    """Return the name of a call that fits an index: the ``thread_id``, or its UUIDv5 where that is long."""
    if len(thread_id) <= _LONG_KEY:
        return thread_id
    return f"uuid5:{uuid.uuid5(uuid.NAMESPACE_OID, thread_id)}"


class Parsed(NamedTuple):
    """The events of a body, and whether they came as a batch."""

    events: list[IncomingEvent]
    is_batch: bool


def parse_json(body: bytes, namespace: uuid.UUID) -> Parsed:
    """Read an event or a batch.

    ``namespace`` is the one in which an id that is no UUID becomes one.

    Raises:
        Unreadable: not JSON. InvalidEvent: all errors, each with its pointer.
    """
    document = read(body)
    if isinstance(document, dict):
        return Parsed([_event(document, pointer, namespace)], False)
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
    return Parsed(events, True)


def parse_form(body: bytes, charset: str, namespace: uuid.UUID) -> IncomingEvent:
    """Read an event from ``application/x-www-form-urlencoded``, where every field is text.

    Raises:
        Unsupported, Unreadable: as read_form does. InvalidForm: as for JSON, with the fields' names.
    """
    members = read_form(body, charset)
    try:
        return _event(members, str, namespace)
    except InvalidEvent as fault:
        raise InvalidForm(fault.errors) from None


def make_event(fields: dict[str, Any]) -> IncomingEvent:
    """Make an event of the appliance's own (command, test button), by the same rules."""
    return _event({key: Member.of(key, value) for key, value in fields.items()}, pointer, uuid.NAMESPACE_OID)


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """A media event without its recording. ``path`` or ``url`` say where that is, if no file came."""

    members: Members
    type: str
    filename: str | None
    path: str | None
    url: str | None
    namespace: uuid.UUID

    def value(self, name: str) -> Any:
        """Return a field's value as it came, None where it has none."""
        member = self.members.get(name)
        return None if member is None else member.value

    def text(self, name: str) -> str:
        """Return a field's text, "" where it has none. A ``timestamp`` is ISO 8601, however it came."""
        value = self.value(name)
        if name == "timestamp" and value is not None:
            return iso_time(value)
        return value if isinstance(value, str) else ""

    def filled(self, fields: dict[str, str]) -> "MediaEvent":
        """Return the event with these fields where it had none of its own."""
        new = {name: Member.of(name, text) for name, text in fields.items() if not self.text(name)}
        return replace(self, members={**self.members, **new})

    def with_recording(
        self, media_id: str, name: str | None, size: int, milliseconds: int | None
    ) -> IncomingEvent:
        """Make the event with its recording. ``name`` is the file's, where the event has no ``filename``."""
        filename = clean(self.filename or name, fallback=self.type)
        recording = Recording(media_id, filename, size, milliseconds)
        members = {key: member for key, member in self.members.items() if key not in _REFERENCES}
        own = {"filename": filename, "content_type": TYPE, "attachments": None}
        members |= {name: Member.of(name, value) for name, value in own.items()}
        return replace(_event(members, pointer, self.namespace), media=recording)


_REFERENCES: Final = ("media_path", "media_url")


def parse_media(body: bytes, namespace: uuid.UUID) -> MediaEvent:
    """Read the event of a recording, as JSON.

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
    not_text = [name for name, value in texts.items() if value is not None and not isinstance(value, str)]
    if not_text:
        raise InvalidEvent([FieldError(pointer(name), "has to be text") for name in not_text])
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
    """Make a valid event. ``place`` tells where a field is, for its error."""
    fields = validated(members, place)
    event_id = fields.id or str(uuid.uuid4())
    if not _UUID.fullmatch(event_id):
        event_id = str(uuid.uuid5(namespace, event_id))
    return IncomingEvent(
        id=event_id,
        thread_key=thread_key(fields.thread_id or event_id),
        type=fields.type,
        subtype=fields.subtype or "",
        body=_composed(fields, event_id, _rewritten(fields, event_id, members)),
    )


def _rewritten(fields: EventFields, event_id: str, members: Members) -> Members:
    """Return the members, with those changed that are not sent on as they came.

    These are an id that is no UUID, and a time in seconds.
    """
    new: Members = {}
    if fields.id is not None and fields.id != event_id:
        new["id"] = Member.of("id", event_id)
        # It is the first of the further fields, and replaces one of that name.
        new["source_id"] = Member(fields.id, '"source_id"', members["id"].text)
    if fields.timestamp is not None and fields.timestamp != members["timestamp"].value:
        new["timestamp"] = Member.of("timestamp", fields.timestamp)
    return new | {name: member for name, member in members.items() if name not in new} if new else members


def _composed(fields: EventFields, event_id: str, members: Members) -> str:
    """Write the fields in the payload's order, then all other members as they came, spelling and all."""
    call = fields.type in CALL_TYPES
    names = CALL_FIELDS if call else MEDIA_FIELDS
    texts = {name: member.text for name, member in members.items() if member.value is not None}
    if "id" not in texts:
        texts["id"] = json.dumps(event_id)
    if "thread_id" not in texts:
        texts["thread_id"] = json.dumps(event_id)
    if call and "timestamp" not in texts:
        texts["timestamp"] = json.dumps(written(datetime.now(UTC)))
    own = {*names, "timestamp", "subtype"}
    further = [f"{member.key_text}:{member.text}" for name, member in members.items() if name not in own]
    if not call and fields.timestamp is not None:
        further.insert(0, f'"timestamp":{texts["timestamp"]}')
    return compose(names, texts, further)
