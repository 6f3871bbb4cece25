"""Call types, call statuses and media types: the words of the wire and of the pages, kept in one place."""

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

# The seed's payloads, in the seed's order: what a receiver may rely on.
COMMON_FIELDS: Final = ("id", "thread_id", "to", "from", "to_name", "from_name", "type")
CALL_FIELDS: Final = (*COMMON_FIELDS, "subtype", "timestamp")
MEDIA_FIELDS: Final = (*COMMON_FIELDS, "filename", "content_type", "attachments")

STATES: Final[dict[str, str]] = {
    "pending": "Pending",
    "held": "Held",
    "delivered": "Delivered",
    "failed": "Failed",
    "expired": "Expired",
    "dropped": "Dropped",
}


def label(word: str | None) -> str:
    """The page's word for a wire word; ``None`` is a filter left open."""
    if word is None:
        return "Any"
    return EVENT_TYPES.get(word) or CALL_STATUSES.get(word) or STATES.get(word) or word


def sample_event(kind: str, type_: str | None, status: str | None) -> dict[str, Any]:
    """The seed's example, for the type and status chosen; the first of each where any will do."""
    fields: dict[str, Any] = {
        "to": "5010", "from": "+19203833100", "to_name": "Dade Murphy", "from_name": "Clearly IP",
    }  # fmt: skip
    if kind == "call":
        return fields | {"type": type_ or "incoming_call", "subtype": status or "ringing"}
    return fields | {"type": type_ or "voicemail"}
