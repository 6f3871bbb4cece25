"""Call events of the size of ClearlyCloud's example."""

import uuid
from itertools import product
from typing import Any, Final

# (type, status): a webhook can be made for each of them, which no other gets anything from.
KINDS: Final = list(
    product(
        ("incoming_call", "outgoing_call"),
        ("ringing", "answered", "ended", "missed", "busy", "invalid", "blocked", "no_answer", "rejected"),
    )
)


def call(kind: tuple[str, str] = KINDS[0], **more: Any) -> dict[str, Any]:
    """An event with an id and a thread_id of its own, unless ``more`` gives them."""
    type_, status = kind
    return {
        "id": str(uuid.uuid4()),
        "thread_id": str(uuid.uuid4()),
        "to": "5010",
        "from": "+19203833100",
        "to_name": "Dade Murphy",
        "from_name": "Clearly IP",
        "type": type_,
        "subtype": status,
        "timestamp": "2023-11-14T21:45:22.000000Z",
        **more,
    }
