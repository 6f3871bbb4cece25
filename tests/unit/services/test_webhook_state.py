"""What is said of a webhook, and when "try now" is of use."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhooks.services.webhook_state import WebhookFacts, webhook_state

NOW = datetime(2026, 11, 28, 16, 30, tzinfo=UTC)
BEFORE, SOON = NOW - timedelta(minutes=2), NOW + timedelta(minutes=3)
FAILS = {"failing_since": BEFORE, "error": "The receiver answered 500."}


@pytest.mark.parametrize(
    ("facts", "word", "sentence"),
    [
        ({}, "Working", ""),
        ({"tried": False}, "Nothing sent yet", ""),
        (
            {**FAILS, "waiting": 14, "first_due_at": SOON},
            "Failing",
            "Since 16:28: The receiver answered 500. 14 deliveries wait, next try at 16:33.",
        ),
        (
            {**FAILS, "waiting": 1, "first_due_at": BEFORE},
            "Failing",
            "Since 16:28: The receiver answered 500. 1 delivery waits, next try due now.",
        ),
        (
            {**FAILS, "waiting": 2000, "most": 1000, "first_due_at": BEFORE, "probe_at": SOON},
            "Failing",
            "Since 16:28: The receiver answered 500. 1,000+ deliveries wait, next try at 16:33.",
        ),
        (FAILS, "Failing", "Since 16:28: The receiver answered 500. Nothing waits."),
        (
            {"hold_until": SOON, "waiting": 2, "first_due_at": BEFORE},
            "Waiting",
            "The receiver asked to wait until 16:33 (Retry-After). 2 deliveries wait, next try at 16:33.",
        ),
        ({"hold_until": BEFORE}, "Working", ""),
        (
            {"state": "disabled", "reason": "The receiver answered 410 Gone."},
            "Disabled",
            "The receiver answered 410 Gone.",
        ),
        ({"state": "paused"}, "Paused", ""),
        ({"state": "paused", "resuming": True}, "Resuming", "Its held deliveries are being dealt with."),
        ({"deleted": True, **FAILS}, "Deleted", "Nothing more is sent."),
    ],
)
def test_a_webhook_says_how_it_stands(facts: dict[str, Any], word: str, sentence: str) -> None:
    state = webhook_state(WebhookFacts(**facts), NOW, lambda moment: f"{moment:%H:%M}")
    assert (state.word, state.sentence) == (word, sentence)


@pytest.mark.parametrize(
    ("facts", "useful"),
    [
        ({"waiting": 1, "first_due_at": SOON}, True),
        ({"waiting": 1, "first_due_at": BEFORE}, False),
        ({"waiting": 1, "first_due_at": BEFORE, "hold_until": SOON}, True),
        ({"waiting": 1, "first_due_at": BEFORE, **FAILS}, True),
        ({**FAILS}, False),
        ({"waiting": 1, "first_due_at": SOON, "state": "paused"}, False),
        ({"waiting": 1, "first_due_at": SOON, "deleted": True}, False),
    ],
)
def test_now_is_offered_where_it_sends_something_sooner(facts: dict[str, Any], useful: bool) -> None:
    assert WebhookFacts(**facts).can_be_hurried(NOW) is useful
