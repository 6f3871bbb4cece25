"""Order per call, and that nothing else is held back by it."""

import itertools
import uuid
from collections.abc import Callable

import pytest
from appliance import Appliance, Place
from receiver import Answer, Receiver

STATUSES = ["ringing", "answered", "ended", "missed", "busy", "invalid", "blocked", "no_answer", "rejected"]


def test_a_calls_messages_come_in_order_and_calls_go_beside_each_other(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """A receiver that takes 50 ms: eight at a time, yet each call in order."""
    appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(seconds=0.05)]
    calls = [f"call-{number}-{uuid.uuid4()}" for number in range(12)]
    batch = [
        {"type": "incoming_call", "subtype": status, "thread_id": call}
        for status, call in itertools.product(STATUSES, calls)
    ]
    answer = appliance.post("/api/events", json=batch, headers={"Authorization": f"Bearer {place[1]}"})
    assert answer.json()["accepted"] == len(batch)
    got = receiver.wait("/hook", len(batch), 20)
    for call in calls:
        order = [one.json["subtype"] for one in got if one.json["thread_id"] == call]
        assert order == STATUSES
    assert any(two.at - one.at < 0.05 for one, two in itertools.pairwise(got)), "calls wait for each other"


def test_a_failing_message_holds_back_its_own_call_only(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [500, 200]
    call, other = str(uuid.uuid4()), str(uuid.uuid4())
    for status in ("ringing", "answered", "ended"):
        appliance.event(place[1], type="incoming_call", subtype=status, thread_id=call)
    receiver.wait("/hook", 1)
    appliance.event(place[1], type="incoming_call", subtype="ringing", thread_id=other)
    got = receiver.wait("/hook", 5)
    assert [(one.json["thread_id"], one.json["subtype"]) for one in got] == [
        (call, "ringing"),
        (other, "ringing"),
        (call, "ringing"),
        (call, "answered"),
        (call, "ended"),
    ]


@pytest.mark.databases("one")
def test_a_message_that_keeps_failing_holds_its_call_for_30_seconds_at_most(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """From the start of its first attempt. Its next attempt would be in an hour."""
    appliance = start_appliance(SPOKE_RETRY_SCHEDULE="3600")
    token = appliance.location("Office")
    appliance.webhook("Office", receiver.url("/hook"))
    receiver.answers["/hook"] = [500, 200]
    call = str(uuid.uuid4())
    for status in ("ringing", "answered", "ended"):
        appliance.event(token, type="incoming_call", subtype=status, thread_id=call)
    got = receiver.wait("/hook", 3, 60)
    assert [one.json["subtype"] for one in got] == ["ringing", "answered", "ended"]
    assert got[1].at - got[0].at > 29.5
