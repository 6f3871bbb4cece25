"""What is said of a delivery: each kind of waiting, retrying and ending."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.catalogue import STATES
from webhooks.services.delivery_state import Facts, State, state_of

NOW = datetime(2026, 11, 28, 16, 30, tzinfo=UTC)
REFUSED = "The receiver answered 500."


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def told(**facts: Any) -> State:
    return state_of(Facts(**{"state": "pending", "webhook_id": 3, "due_at": NOW, **facts}), NOW, clock)


OPEN = {
    "probe_at": minutes(3),
    "failing_since": minutes(-2),
    "webhook_error": "Could not resolve host crm.example.",
}


@pytest.mark.parametrize(
    ("facts", "word", "sentence", "until"),
    [
        ({"sending": True, "attempts": 2}, "Sending", "Attempt 3 is under way.", None),
        (
            {"converting": True},
            "Waiting",
            "Its recording is being converted to MP3. It is sent after that.",
            None,
        ),
        (
            {"hold_until": minutes(3), "waiting": 14},
            "Waiting",
            "The receiver asked to wait until 16:33 (Retry-After); 14 deliveries wait.",
            minutes(3),
        ),
        (
            {**OPEN, "waiting": 1300},
            "Waiting",
            "Webhook 3 has not answered since 16:28: Could not resolve host crm.example. It is tried with "
            "one delivery at a time, next at 16:33; 1,300 deliveries wait.",
            minutes(3),
        ),
        (
            {**OPEN, "probe_at": minutes(-1), "waiting": 1},
            "Waiting",
            "Webhook 3 has not answered since 16:28: Could not resolve host crm.example. It is tried with "
            "one delivery at a time, next due now; 1 delivery waits.",
            minutes(-1),
        ),
        (
            {"earlier_id": 17},
            "Waiting",
            "An earlier message of its call comes first: delivery 17. It waits for that, but no longer than "
            "30 seconds after that was first tried.",
            None,
        ),
        ({"due_at": minutes(1)}, "Waiting", "It is due at 16:31.", minutes(1)),
        (
            {"rate": 0.5},
            "Waiting",
            "Webhook 3 sends at most 0.5 a second. It is sent when its turn comes.",
            None,
        ),
        ({}, "Waiting", "It is due now. It is sent as soon as a worker is free.", None),
        ({"webhook_state": "paused"}, "Waiting", "Webhook 3 is paused.", None),
        (
            {"tries": 2, "error": REFUSED, "due_at": minutes(4)},
            "Retrying",
            "The receiver answered 500. 2 tries failed, the next is at 16:34.",
            minutes(4),
        ),
        (
            {"tries": 1, "error": REFUSED, "due_at": minutes(-4)},
            "Retrying",
            "The receiver answered 500. 1 try failed, the next is due now.",
            None,
        ),
        (
            {"tries": 1, "error": "The receiver answered 429.", "hold_until": minutes(3)},
            "Retrying",
            "The receiver answered 429. It asked to wait until 16:33 (Retry-After). 1 try failed, "
            "the next is at 16:33.",
            minutes(3),
        ),
        (
            {"tries": 1, "error": "Nothing listens there.", **OPEN},
            "Retrying",
            "Nothing listens there. Webhook 3 has not answered since 16:28. It is tried with one delivery at "
            "a time, next at 16:33. 1 try failed, the next is at 16:33.",
            minutes(3),
        ),
        (
            {"state": "held", "webhook_state": "paused"},
            "Held",
            "Webhook 3 is paused. Resume it to send this delivery.",
            None,
        ),
        (
            {
                "state": "held",
                "webhook_state": "disabled",
                "webhook_reason": "The receiver answered 410 Gone.",
            },
            "Held",
            "Webhook 3 is disabled: The receiver answered 410 Gone. Resume it to send this delivery.",
            None,
        ),
        (
            {"state": "delivered", "attempts": 2},
            "Delivered",
            "The receiver took it at attempt 2.",
            None,
        ),
        (
            {"state": "delivered", "attempts": 1, "recording_error": "It is cut off."},
            "Delivered",
            "The receiver took it at attempt 1. Its recording is damaged: It is cut off.",
            None,
        ),
        (
            {"state": "failed", "attempts": 1, "reason": REFUSED},
            "Failed",
            "The receiver answered 500. 1 attempt failed. Resend it once the receiver works.",
            None,
        ),
        (
            {"state": "expired", "reason": "older than the webhook's maximum age"},
            "Expired",
            "It was older than its webhook's maximum age when its turn came, so it was not sent.",
            None,
        ),
        ({"state": "dropped", "reason": "webhook deleted"}, "Dropped", "Its webhook was deleted.", None),
        (
            {"state": "dropped", "reason": "dropped on resume"},
            "Dropped",
            "It was dropped when its webhook was resumed.",
            None,
        ),
        (
            {"state": "dropped", "is_test": True, "attempts": 1, "error": REFUSED},
            "Test failed",
            REFUSED,
            None,
        ),
    ],
)
def test_each_kind_says_why_and_what_comes_next(
    facts: dict[str, Any], word: str, sentence: str, until: datetime | None
) -> None:
    state = told(**facts)
    assert (state.word, state.sentence) == (word, sentence)
    assert state.until == (until if until and until > NOW else None)


@given(
    state=st.sampled_from([*STATES]),
    due=st.floats(-10**5, 10**5), hold=st.none() | st.floats(-10**5, 10**5),
    probe=st.none() | st.floats(-10**5, 10**5), tries=st.integers(0, 9), sending=st.booleans(),
)  # fmt: skip
def test_nobody_is_told_of_a_next_time_in_the_past(
    state: str, due: float, hold: float | None, probe: float | None, tries: int, sending: bool
) -> None:
    told_ = told(
        state=state,
        due_at=minutes(due),
        tries=tries,
        sending=sending,
        hold_until=None if hold is None else minutes(hold),
        probe_at=None if probe is None else minutes(probe),
    )
    assert told_.until is None or told_.until > NOW
    assert told_.sentence.endswith(".") and ".." not in told_.sentence
