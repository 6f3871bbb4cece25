"""Call types, call statuses, media types and states: the words of the wire, and those of the pages."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

CALL_TYPES: Final[dict[str, str]] = {
    "incoming_call": "Incoming Call",
    "outgoing_call": "Outgoing Call",
}

CALL_STATUSES: Final[dict[str, str]] = {
    "ringing": "Ringing",
    "answered": "Answered",
    "ended": "Ended",
    "missed": "Missed",
    "busy": "Busy",
    "invalid": "Invalid",
    "blocked": "Blocked",
    "not_available": "Not available",
    "no_answer": "No answer",
    "rejected": "Rejected",
}

MEDIA_TYPES: Final[dict[str, str]] = {
    "voicemail": "Voicemail",
    "call_recording": "Call Recording",
}

EVENT_TYPES: Final[dict[str, str]] = CALL_TYPES | MEDIA_TYPES

# The payload's fields in their order, on which receivers may rely.
COMMON_FIELDS: Final = ("id", "thread_id", "to", "from", "to_name", "from_name", "type")
CALL_FIELDS: Final = (*COMMON_FIELDS, "subtype", "timestamp")
MEDIA_FIELDS: Final = (*COMMON_FIELDS, "filename", "content_type", "attachments")

_value_at: Final = json.JSONDecoder().raw_decode

STATES: Final[dict[str, str]] = {
    "pending": "Pending",
    "held": "Held",
    "delivered": "Delivered",
    "failed": "Failed",
    "expired": "Expired",
    "dropped": "Dropped",
}

# What the log can be filtered by beside the states: they are states, or parts of them, together.
FILTERS: Final[dict[str, tuple[str, ...]]] = {"failing": ("failed", "retrying"), "retrying": ("retrying",)}
FILTER_LABELS: Final[dict[str, str]] = {
    **STATES, "failing": "Failing (retrying or failed)", "retrying": "Retrying",
}  # fmt: skip

HIDDEN: Final = "•••"  # stands for a value that is not shown


def wire_id(body: str) -> str:
    """The id in an event's JSON text, which its PBX was answered; "" if there is none."""
    try:
        return str(_value_at(body, len('{"id":'))[0])
    except ValueError:
        return ""


def label(word: str) -> str:
    """Return the pages' word for a word of the wire."""
    return EVENT_TYPES.get(word) or CALL_STATUSES.get(word) or STATES.get(word) or word


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: "1 delivery", "1,234 deliveries". The plural left out adds an s."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def in_seconds(count: float) -> str:
    """A time limit: "1 second", "7.5 seconds"."""
    return f"{count:g} {'second' if count == 1 else 'seconds'}"


def filter_label(kind: str, types: Sequence[str], statuses: Sequence[str]) -> str:
    """Say in the pages' words which events a webhook is for."""
    named = any_of(map(label, types)) or ("Any event" if kind == "any" else f"Any {kind}")
    if kind == "media" or (not types and not statuses):
        return named
    return f"{named}, {any_of(map(label, statuses)) or 'any status'}"


def any_of(words: Iterable[str]) -> str:
    """Words of which one is meant: "Missed, Busy or No answer"."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} or {last}" if first else last


def sample_event(kind: str, types: Sequence[str], statuses: Sequence[str]) -> dict[str, Any]:
    """Make the fields of a sample event, of the first of the types and statuses."""
    fields: dict[str, Any] = {
        "to": "5010", "from": "+19203833100", "to_name": "Dade Murphy", "from_name": "Clearly IP",
    }  # fmt: skip
    if kind == "call":
        return fields | {"type": (*types, "incoming_call")[0], "subtype": (*statuses, "ringing")[0]}
    return fields | {"type": (*types, "voicemail")[0]}


def sample_payload(kind: str, types: Sequence[str], statuses: Sequence[str], base_url: str) -> dict[str, Any]:
    """Make a sample of the whole payload that a receiver gets, in the wire's order."""
    event = sample_event(kind, types, statuses)
    known: dict[str, Any] = {
        "id": "6d739560-1741-11ed-861d-0242ac120002", "thread_id": "54144414-9e16-49de-8830-b2475a8dc7ea",
        "timestamp": "2023-11-14T21:45:22.000000Z", "content_type": "audio/mpeg",
        "filename": "recording_2024-07-19 00:00:00 -0500_from:15053430650_to:5012-508_116612489.mp3",
        "attachments": f"{base_url}/api/media/download/ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9"
        "?expires=1721507312&signature=541444149e1649de8830b2475",
        **event,
    }  # fmt: skip
    if event["type"] == "voicemail":
        known["filename"] = known["filename"].replace("recording_", "voicemail_")
    return {name: known[name] for name in (CALL_FIELDS if kind == "call" else MEDIA_FIELDS)}
