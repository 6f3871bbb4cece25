"""A batch that makes very many deliveries: in several transactions, others between, whole in the end."""

import contextlib
import threading
import uuid
from collections.abc import Callable
from typing import Any

import requests
from appliance import Appliance, eventually

EVENTS, WEBHOOKS = 1_000, 10
EVERY_EVENT_WHOLE = """
    SELECT count(*) FROM event
    WHERE matched <> (SELECT count(*) FROM delivery WHERE delivery.event_id = event.id)
"""


class Batch:
    """Posts it in a thread; ``answer`` is there when it is answered."""

    def __init__(self, appliance: Appliance, token: str) -> None:
        self._appliance, self._token = appliance, token
        call = {"type": "incoming_call", "subtype": "ringing"}
        self.events = [{"id": str(uuid.uuid4()), **call} for _ in range(EVENTS)]
        self.answer: requests.Response | None = None
        self._thread = threading.Thread(target=self._try)

    def post(self) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._appliance.post("/api/events", json=self.events, headers=headers, timeout=120)

    def _try(self) -> None:
        with contextlib.suppress(requests.ConnectionError):  # it was killed
            self.answer = self.post()

    def __enter__(self) -> "Batch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def stored(appliance: Appliance) -> int:
    return int(appliance.rows("SELECT count(*) FROM event")[0][0])


def test_others_come_between_and_what_a_kill_cut_off_is_completed(
    start_appliance: Callable[..., Appliance],
) -> None:
    one = start_appliance()
    token, other = one.location("Office"), one.location("Elsewhere")
    for number in range(WEBHOOKS):
        webhook = one.webhook("Office", f"http://192.0.2.1/{number}")
        one.cli("webhook", "pause", str(webhook["id"]))

    with Batch(one, token) as batch:
        eventually(lambda: stored(one), every=0.005)
        assert one.event(other, type="incoming_call", subtype="ringing").status_code == 202
        assert batch.answer is None and stored(one) < EVENTS + 1, "it waited until the batch was through"
        one.kill()
    there = stored(one) - 1
    assert batch.answer is None and 0 < there < EVENTS
    assert one.rows(EVERY_EVENT_WHOLE)[0][0] == 0

    one.start()
    again: dict[str, Any] = batch.post().json()
    assert (again["accepted"], again["duplicates"]) == (EVENTS - there, there)
    assert [event["id"] for event in again["events"]] == [event["id"] for event in batch.events]
    assert {event["deliveries"] for event in again["events"]} == {WEBHOOKS}
    assert stored(one) == EVENTS + 1 and one.rows(EVERY_EVENT_WHOLE)[0][0] == 0
    known = batch.post()
    assert known.status_code == 200 and known.json()["duplicates"] == EVENTS
    one.kill()
