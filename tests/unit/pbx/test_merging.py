"""Views of a call, merged: in whatever order they come, and as often."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.pbx.calls import Party
from webhooks.pbx.finished import CLOSING, Event, Finished
from webhooks.pbx.merging import merge


def views(number: str, closing: str, minute: int) -> list[Event]:
    """What one leg's record tells."""
    call = Finished(
        "1",
        "incoming_call",
        Party("+4930123"),
        Party(number),
        closing,
        datetime(2026, 11, 24, 8, minute, tzinfo=UTC) if closing == "ended" else None,
        datetime(2026, 11, 24, 9, minute, tzinfo=UTC),
    )
    return [*call.events(), call.media("call_recording", f"{number}.wav")]


LEGS = st.lists(
    st.tuples(
        st.sampled_from(["5010", "5011", "5012"]),
        st.sampled_from([status for status in CLOSING if status != "no_answer"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


@given(LEGS, st.randoms(use_true_random=False))
def test_neither_the_order_of_records_nor_repeats_change_what_comes_out(
    legs: list[tuple[str, str, int]], chance: random.Random
) -> None:
    told = [view for leg in legs for view in views(*leg)]
    shuffled = told + chance.sample(told, chance.randint(0, len(told)))
    chance.shuffle(shuffled)
    assert merge(shuffled) == merge(told)


@given(LEGS)
def test_a_call_has_one_end_and_an_answer_only_before_ended(legs: list[tuple[str, str, int]]) -> None:
    told = merge([view for leg in legs for view in views(*leg)])
    statuses = [str(event["subtype"]) for event in told if event["type"] == "incoming_call"]
    answered = any(closing == "ended" for _, closing, _ in legs)
    assert statuses == ["answered", "ended"] if answered else len(statuses) == 1


@given(LEGS, LEGS)
def test_a_call_that_had_its_end_gets_no_second_one(
    first: list[tuple[str, str, int]], late: list[tuple[str, str, int]]
) -> None:
    told = merge([view for leg in first for view in views(*leg)])
    so_far = {(str(event["type"]), str(event["subtype"])) for event in told if "subtype" in event}
    again = merge([view for leg in late for view in views(*leg)], so_far)
    assert {event["type"] for event in again} == {"call_recording"}


@pytest.mark.parametrize(
    ("closings", "best"),
    [
        (["missed", "rejected"], "rejected"),
        (["busy", "missed", "not_available"], "busy"),
        (["invalid", "not_available"], "invalid"),
        (["blocked", "missed"], "missed"),
    ],
)
def test_the_best_view_decides(closings: list[str], best: str) -> None:
    told = merge([view for closing in closings for view in views("5010", closing, 0)])
    assert told[0]["subtype"] == best


def test_a_transferred_call_is_answered_by_the_first_and_talked_until_its_end() -> None:
    first, second = views("5010", "ended", 0), views("5011", "ended", 30)
    answered, ended, *_ = merge([*second, *first])
    assert (answered["sequence"], ended["sequence"]) == (2, 3)
    assert (ended["answered_by"], ended["transferred_to"]) == ("5010", "5011")
    assert ended["talk_seconds"] == 90 * 60  # from 8:00, when the first answered, to 9:30


def test_an_end_without_an_answer_names_nobody_who_took_the_call() -> None:
    (missed,) = merge([view for view in views("5010", "ended", 0) if view.get("subtype") == "ended"])
    assert missed["subtype"] == "missed" and "answered_by" not in missed
