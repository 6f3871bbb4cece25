"""The answer to who posted events: for each its id, its deliveries, and whether it was there already."""

import json
from typing import Final

from webhooks.events.storage import Accepted

# Flask's jsonify makes an encoder for each answer, which takes a tenth of a small request's time.
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


def status_and_body(accepted: list[Accepted], batch: bool) -> tuple[int, bytes]:
    """Answer for an event or a batch. The status is 200 where all of it was there already, else 202."""
    status = 200 if all(event.duplicate for event in accepted) else 202
    answer = _batch_answer(accepted) if batch else _answer(accepted[0])
    return status, f"{_JSON.encode(answer)}\n".encode()


def _answer(event: Accepted) -> dict[str, object]:
    answer: dict[str, object] = {"id": event.id, "deliveries": event.deliveries}
    if event.duplicate:
        answer["duplicate"] = True
    return answer


def _batch_answer(accepted: list[Accepted]) -> dict[str, object]:
    duplicates = sum(event.duplicate for event in accepted)
    return {
        "accepted": len(accepted) - duplicates,
        "duplicates": duplicates,
        "events": [
            {"id": event.id, "deliveries": event.deliveries, "duplicate": event.duplicate}
            for event in accepted
        ],
    }
