"""What a real appliance logs of one event, from the request to its attempts."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from appliance import Appliance, eventually
from media.client import send
from media.sounds import speech, wav
from receiver import Receiver

pytestmark = pytest.mark.databases("one")


def test_the_id_that_a_pbx_was_answered_leads_to_the_failed_attempt(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """Two events of one id are two messages; the lines of both carry the id that was answered."""
    receiver.answers["/hook"] = [500]
    one = start_appliance(SPOKE_LOG="json", SPOKE_RETRY_SCHEDULE="3600")
    token = one.location("Office")
    webhooks = [
        one.webhook("Office", receiver.url("/hook"), status=status)["id"] for status in ("ringing", "ended")
    ]
    first = one.event(token, type="incoming_call", subtype="ringing").json()["id"]
    assert one.event(token, id=first, type="incoming_call", subtype="ended").json()["id"] == first

    def followed() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in one.log.splitlines() if first in line]
        return lines if len(lines) == 2 else []

    for line in eventually(followed):
        assert line["message"] == "attempt failed" and line["event"] == first
        assert (line["attempt"], line["http_status"]) == (1, 500) and 2800 <= line["retry_s"] <= 4400
        assert one.cli("delivery", "show", line["delivery"])["webhook"] == line["webhook"]
    assert sorted(line["webhook"] for line in followed()) == sorted(webhooks)


def test_the_id_that_a_pbx_was_answered_leads_to_the_recordings_conversion(
    start_appliance: Callable[..., Appliance],
) -> None:
    one = start_appliance()
    answer = send(one, one.location("Office"), wav(8000, [speech(8000, 1)])).json()
    line = eventually(lambda: next((line for line in one.log.splitlines() if answer["id"] in line), ""))
    assert "recording ready" in line and f"media={answer['media_id']} " in line
