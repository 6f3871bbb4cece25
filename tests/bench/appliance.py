"""The real appliance (``python app.py``, SQLite, two worker processes), its outbox filled and released."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from appliance import Appliance

from bench.session import Session

WORKERS: Final = 2
_BATCH: Final = 1000  # the most events that the hook takes at a time


@contextlib.contextmanager
def started(session: Session, **environment: Any) -> Iterator[Appliance]:
    """A new appliance that is ready; it is killed afterwards, nobody needs its data."""
    environment = {"SPOKE_WORKERS": str(WORKERS), **environment}
    appliance = Appliance(session.new_folder("appliance"), start=False, **environment)
    try:
        appliance.start()
        yield appliance
    finally:
        appliance.kill()
        appliance.end()


def add_webhooks(
    appliance: Appliance, location: str, urls: Iterable[str], kinds: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """Webhooks for all calls, or each for the kind in its place; their ids."""
    filters = [{"type": type_, "status": status} for type_, status in kinds]
    return [
        int(appliance.webhook(location, url, **(filters[n] if filters else {}))["id"])
        for n, url in enumerate(urls)
    ]


def pause(appliance: Appliance, webhooks: Iterable[int]) -> None:
    for webhook in webhooks:
        appliance.cli("webhook", "pause", str(webhook))


def fill(appliance: Appliance, token: str, events: Sequence[dict[str, Any]]) -> None:
    """Post events in batches of 1,000."""
    for begin in range(0, len(events), _BATCH):
        answer = appliance.post(
            "/api/events",
            json=events[begin : begin + _BATCH],
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        assert answer.status_code == 202, answer.text


def release(appliance: Appliance, webhooks: Iterable[int]) -> int:
    """Resume paused webhooks; the moment when the last of them was (monotonic ns)."""
    for webhook in webhooks:
        appliance.cli("webhook", "resume", str(webhook))
    return time.monotonic_ns()
