"""The hook in the OpenAPI document: what a phone system posts. Its rules are ``events/``'s, not a model's."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from webhooks.catalogue import CALL_STATUSES, COMMON_FIELDS, EVENT_TYPES
from webhooks.events.fields import MAX_ID, MAX_TEXT

_TEXT: Final = {"type": ["string", "null"], "maxLength": MAX_TEXT}
_COUNT: Final = {"type": "integer", "minimum": 0}
_REFUSED: Final = (400, 401, 403, 408, 413, 415, 422, 503)


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, *names: str) -> dict[str, Any]:
    schema = _ref(names[0]) if len(names) == 1 else {"anyOf": [_ref(name) for name in names]}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in statuses
    }


_STATUS_RULE: Final = {
    "if": {"properties": {"type": {"enum": ["incoming_call", "outgoing_call"]}}},
    "then": {"required": ["subtype"]},
    "else": {"not": {"required": ["subtype"]}},
}

HOOK_SCHEMAS: Final[Mapping[str, Any]] = {
    "IncomingEvent": {
        "type": "object",
        "description": "A call's event has a `subtype`, a recording's has none. More fields are passed on.",
        "required": ["type"],
        "properties": {
            "id": {
                "type": ["string", "null"], "maxLength": MAX_ID,
                "description": "A UUID is sent on as it came; other text makes a UUID, always the same.",
            },
            "thread_id": {"type": ["string", "null"], "description": "The call; left out, the id."},
            "to": _TEXT, "from": _TEXT, "to_name": _TEXT, "from_name": _TEXT,
            "type": {"type": "string", "enum": [*EVENT_TYPES]},
            "subtype": {"type": "string", "enum": [*CALL_STATUSES]},
            "timestamp": {
                "type": ["string", "number", "null"],
                "description": "ISO 8601, or seconds since 1970; left out, a call's is the present time.",
            },
        },
        **_STATUS_RULE,
    },
    "Event": {
        "type": "object",
        "description": "What receivers get: these fields, those of a call or a recording, and the phone "
        "system's own.",
        "required": [*COMMON_FIELDS],
        "properties": {
            **{name: {"type": "string"} for name in COMMON_FIELDS},
            "type": {"type": "string", "enum": [*EVENT_TYPES]},
            "subtype": {"type": "string", "enum": [*CALL_STATUSES]},
        },
    },
    "Accepted": {
        "type": "object",
        "required": ["id", "deliveries"],
        "properties": {"id": {"type": "string", "format": "uuid"}, "deliveries": _COUNT,
                       "media_id": {"type": "string", "format": "uuid"}, "duplicate": {"const": True}},
    },
    "AcceptedBatch": {
        "type": "object",
        "required": ["accepted", "duplicates", "events"],
        "properties": {
            "accepted": _COUNT, "duplicates": _COUNT,
            "events": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["id", "deliveries", "duplicate"],
                    "properties": {"id": {"type": "string"}, "deliveries": _COUNT,
                                   "duplicate": {"type": "boolean"}},
                },
            },
        },
    },
}  # fmt: skip

HOOK_PATHS: Final[Mapping[str, Any]] = {
    "/api/events": {
        "post": {
            "operationId": "hook_events",
            "tags": ["hook"],
            "security": [{"location": []}],
            "summary": "Store an event or a batch of up to 1,000; answered once it is on disk.",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [
                                _ref("IncomingEvent"),
                                {"type": "array", "minItems": 1, "maxItems": 1000,
                                 "items": _ref("IncomingEvent")},
                            ]
                        }
                    },
                },
            },
            "responses": {
                "202": _answer("Stored.", "Accepted", "AcceptedBatch"),
                "200": _answer("Known already; nothing is sent twice.", "Accepted", "AcceptedBatch"),
                **_problems(*_REFUSED),
            },
        }
    },
    "/api/media": {
        "post": {
            "operationId": "hook_media",
            "tags": ["hook"],
            "security": [{"location": []}],
            "summary": "Store an event together with its recording: WAV, MP3 or Ogg.",
            "requestBody": {
                "required": True,
                "content": {
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["event", "file"],
                            "properties": {
                                "event": {"type": "string", "contentMediaType": "application/json"},
                                "file": {"type": "string", "contentMediaType": "application/octet-stream"},
                            },
                        }
                    },
                },
            },
            "responses": {
                "202": _answer("Stored.", "Accepted"),
                "200": _answer("Known already; the file is not kept.", "Accepted"),
                **_problems(*_REFUSED, 502, 507),
            },
        }
    },
}  # fmt: skip
