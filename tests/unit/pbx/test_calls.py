"""A call has at most one ringing, one answered and exactly one closing status, in every order of facts."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from webhooks.pbx.calls import Call, Direction, Party

_AT = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
_ANN, _BEN = Party("5011", "Ann"), Party("5012", "Ben")


def _call(direction: Direction = Direction.INCOMING) -> Call:
    call = Call(uuid.UUID(int=7))
    call.direction, call.caller, call.did = direction, Party("+12025550123", "Zoë"), "+12025550110"
    return call


def _later(seconds: float) -> datetime:
    return _AT + timedelta(seconds=seconds)


def _failed(*statuses: str, direction: Direction = Direction.INCOMING) -> object:
    call = _call(direction)
    for number, status in enumerate(statuses):
        call.ring(str(number), Party(str(number)), _AT)
        call.fail(str(number), status, _later(1), None, None)
    call.close(_later(2))
    return call.news()[-1]["subtype"]


def test_the_closing_status_is_the_same_in_every_order_of_the_facts() -> None:
    def facts(call: Call) -> list[Callable[[], None]]:
        return [
            lambda: call.ring("a", _ANN, _AT),
            lambda: call.ring("b", _BEN, _AT),
            lambda: call.answer("b", _BEN, _later(2)),
            lambda: call.withdraw("a", _later(2)),
            lambda: call.ring("a", _ANN, _later(3)),
        ]

    for order in permutations(range(5)):
        call, said = _call(), []
        for index in order:
            facts(call)[index]()
            said += call.news()
        call.close(_later(9))
        said += call.news()
        call.close(_later(10))
        said += call.news()
        kinds = [event["subtype"] for event in said]
        assert kinds in (["ringing", "answered", "ended"], ["answered", "ended"])
        assert said[-1]["to"] == said[-1]["answered_by"] == "5012"


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["busy", "rejected", "no_answer"], "missed"),  # one rang on: nobody refused for all
        (["busy", "rejected"], "rejected"),
        (["not_available", "invalid", "blocked", "busy"], "busy"),
        (["not_available", "invalid"], "invalid"),
        (["not_available"], "not_available"),
        ([], "missed"),
    ],
)
def test_the_best_leg_decides(statuses: list[str], status: str) -> None:
    assert {_failed(*order) for order in permutations(statuses)} == {status}


def test_an_unanswered_outgoing_call_is_no_answer_and_not_missed() -> None:
    assert _failed("no_answer", direction=Direction.OUTGOING) == "no_answer"
    assert _failed(direction=Direction.INTERNAL) == "no_answer"


def test_a_leg_that_was_withdrawn_has_no_say() -> None:
    call = _call()
    call.ring("a", _ANN, _AT)
    call.withdraw("a", _later(1))
    call.hint = "busy"
    call.close(_later(2))
    assert call.news()[-1]["subtype"] == "busy"


def test_a_call_of_unknown_direction_says_nothing_until_it_is_known() -> None:
    call = Call(uuid.UUID(int=7))
    call.ring("a", _ANN, _AT)
    assert call.news() == []
    call.direction = Direction.INTERNAL
    event = call.news()[0]
    assert (event["type"], event["internal"], event["to_name"]) == ("outgoing_call", True, "Ann")


def test_to_is_the_destination_until_somebody_answers() -> None:
    call = _call()
    call.destination = Party("600")
    call.ring("a", _ANN, _AT)
    assert call.news()[0]["to"] == "600"
    call.answer("a", _ANN, _later(1))
    assert call.news()[0]["to"] == "5011"


def test_an_outgoing_call_keeps_the_number_that_was_called() -> None:
    call = _call(Direction.OUTGOING)
    call.destination = Party("0301234")
    call.ring("trunk", Party("+49301234"), _AT)
    call.answer("trunk", Party("+49301234"), _later(1))
    assert [(event["to"], event.get("answered_by")) for event in call.news()] == [("0301234", "+49301234")]


def test_a_caller_in_a_queue_rings_there_though_no_phone_does() -> None:
    call = _call()
    call.join_queue("support", _AT)
    call.close(_later(7.04))
    ringing = call.news()
    assert [(event["subtype"], event["to"], event["queue"]) for event in ringing] == [
        ("missed", "support", "support")
    ]
    assert ringing[0]["ring_seconds"] == 7.0


def test_ring_time_ends_with_the_last_phone_and_not_with_voicemail() -> None:
    call = _call()
    call.ring("a", _ANN, _AT)
    call.ring("b", _BEN, _AT)
    call.fail("a", "no_answer", _later(4), None, None)
    call.fail("b", "busy", _later(1), 17, 486)
    call.close(_later(60))
    assert call.news()[-1]["ring_seconds"] == 4.0


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    call = _call()
    call.ring("a", _ANN, _AT)
    call.answer("a", _ANN, _later(-30))
    call.close(_later(-60))
    ended = call.news()[-1]
    assert (ended["ring_seconds"], ended["talk_seconds"]) == (0.0, 0.0)


def test_ids_are_the_same_whenever_a_call_is_told_of() -> None:
    def told() -> list[object]:
        call = _call()
        call.ring("a", _ANN, _AT)
        events = call.news()
        call.answer("a", _ANN, _AT)
        call.close(_AT)
        return [event["id"] for event in events + call.news()]

    assert told() == told() and len(set(told())) == 3
