"""Until when a delivery that a person wants tried now is followed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from webhooks.db.models import Delivery
from webhooks.services.delivery_state import Facts
from webhooks.web.ui.following import Followed


@pytest.mark.parametrize(
    ("facts", "is_open"),
    [
        ({"state": "pending", "attempts": 2}, True),
        ({"state": "pending", "attempts": 2, "sending": True}, True),
        ({"state": "pending", "attempts": 3, "sending": True}, True),
        ({"state": "pending", "attempts": 3}, False),
        ({"state": "delivered", "attempts": 3}, False),
        ({"state": "held", "attempts": 2}, False),
    ],
)
def test_a_delivery_is_followed_until_its_next_attempt_has_ended(
    facts: dict[str, Any], is_open: bool
) -> None:
    stands = Facts(webhook_id=1, due_at=datetime.now(UTC), **facts)
    assert Followed(Delivery(), stands, before=2).is_open is is_open
