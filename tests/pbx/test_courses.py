"""Courses live: from SIP through a real Asterisk and the appliance to the message at the receiver."""

import time
from typing import Any

import pytest
from appliance import Appliance
from asterisk import COURSES, Lab
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

# Some of each kind; all 65 are read from recordings elsewhere.
PLAYED = [
    "anonymous_caller", "answered_callee_ends", "answered_caller_ends", "attended_transfer", "blacklisted",
    "blind_transfer", "busy", "call_confirm_accepted", "caller_cancels", "caller_name_utf8", "click_to_call",
    "declined_603", "find_me_mobile", "forwarded_302", "internal_answered", "ivr_caller_ends",
    "ivr_then_extension", "no_answer", "outbound_answered", "outbound_busy", "outbound_caller_cancels",
    "outbound_invalid_404", "outbound_second_trunk", "park_and_retrieve", "pickup_directed",
    "queue_abandoned", "queue_answered", "ring_group_one_answers", "three_calls_at_once",
    "two_phones_one_extension", "unknown_number_announced", "unregistered", "voicemail_left",
]  # fmt: skip


def expected(course: str) -> list[dict[str, list[str]]]:
    """The lab's events of a course: the values that are right for each field. No internal calls, no media."""
    found = []
    for line in COURSES[course].EXPECT.strip().splitlines():
        if line.startswith("(internal)") or line.split()[0] not in ("incoming_call", "outgoing_call"):
            continue
        type_, subtype, *further = line.split()
        wanted = {"type": [type_], "subtype": subtype.split("|")}
        for part in further:
            name, _, values = part.partition("=")
            if name in ("from", "to"):
                wanted[name] = ["" if value == "anonymous" else value for value in values.split("|")]
        found.append(wanted)
    return found


def told(receiver: Receiver, path: str, count: int) -> list[dict[str, Any]]:
    """What came, and nothing after it."""
    receiver.wait(path, count, 5) if count else None
    time.sleep(0.4)
    return [request.json for request in receiver.at(path)]


@pytest.fixture(scope="module")
def office(appliance: Appliance, asterisk: Lab) -> str:
    name = f"Office {asterisk.info['version']}"
    appliance.location(name)
    asterisk.connect(appliance, name)
    return name


@pytest.mark.parametrize("course", PLAYED)
def test_a_receiver_is_told_what_happened(
    course: str, office: str, appliance: Appliance, asterisk: Lab, receiver: Receiver
) -> None:
    webhook = appliance.webhook(office, receiver.url("/calls"))
    asterisk.play(course)
    wanted = expected(course)
    events = told(receiver, "/calls", len(wanted))
    appliance.cli("webhook", "delete", webhook["id"])
    shown = [(event["type"], event["subtype"], event["from"], event["to"]) for event in events]
    if "thread=" in COURSES[course].EXPECT:  # several calls: each in its order, together in any
        wanted.sort(key=lambda one: one["from"])
        events.sort(key=lambda event: str(event["from"]))
    assert len(events) == len(wanted), shown
    for event, values in zip(events, wanted, strict=True):
        assert all(event[name] in right for name, right in values.items()), shown
    for event in events:
        assert "reconstructed" not in event
        assert event["timestamp"].endswith("Z")
