"""Courses live: from SIP through a real Asterisk and the appliance to the message at the receiver."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from appliance import Appliance
from asterisk import COURSES, Lab, build_or_skip
from labkit import server
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

LANES = 3  # Asterisks that play at once
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


class Lane:
    """An Asterisk, its location and its webhook: it plays one course after the other."""

    def __init__(self, lab: Lab, receiver: Receiver, path: str) -> None:
        self._lab, self._receiver, self._path = lab, receiver, path
        self._before = 0

    def play(self, course: str) -> list[dict[str, Any]]:
        """Play a course. Returns what came, and nothing after it."""
        self._lab.play(course)
        if wanted := len(expected(course)):
            self._receiver.wait(self._path, self._before + wanted, 30)
        time.sleep(0.4)
        events = [request.json for request in self._receiver.at(self._path)[self._before :]]
        self._before += len(events)
        return events


@pytest.fixture(scope="module", params=["22", "16"])
def played(request: pytest.FixtureRequest, appliance: Appliance) -> Iterator[dict[str, Future[Any]]]:
    """What each chosen course told, or why it did not come to its end.

    Courses mostly wait: several Asterisks play at once, each course alone at its own.
    """
    build_or_skip(request.param)
    wanted = {
        str(item.callspec.params["course"]): None
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_a_receiver_is_told_what_happened
    }
    results: dict[str, Future[Any]] = {course: Future() for course in wanted}
    waiting = deque(wanted)
    receiver = Receiver()

    def work(lane: Lane) -> None:
        with contextlib.suppress(IndexError):
            while True:
                course = waiting.popleft()
                try:
                    results[course].set_result(lane.play(course))
                except Exception as problem:
                    results[course].set_exception(problem)

    with contextlib.ExitStack() as stack:
        lanes = []
        for number in range(min(LANES, len(wanted))):
            lab, path = Lab(stack.enter_context(server.Asterisk(request.param))), f"/lane-{number}"
            office = f"Office {request.param}-{number}"
            appliance.location(office)
            appliance.webhook(office, receiver.url(path))
            lab.connect(appliance, office)
            lanes.append(Lane(lab, receiver, path))
        with ThreadPoolExecutor(LANES) as threads:
            list(threads.map(work, lanes))
        yield results
    receiver.close()


@pytest.mark.parametrize("course", PLAYED)
def test_a_receiver_is_told_what_happened(course: str, played: dict[str, Future[Any]]) -> None:
    events, wanted = played[course].result(), expected(course)
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
