"""Names are checked once, and rows that are missing or deleted are told apart."""

from datetime import UTC, datetime

import pytest

from webhooks.db.models import Location, Webhook
from webhooks.errors import Conflict, Invalid, NotFound
from webhooks.services.lookup import checked_name, existing_webhook, row_or_404, unless_deleted

LIVE, DELETED = Webhook(id=3), Webhook(id=3, deleted_at=datetime.now(UTC))


@pytest.mark.parametrize("name", ["Office", " Office ", "Jürgen ☎", "x" * 100])
def test_a_name_loses_the_blanks_around_it(name: str) -> None:
    assert checked_name(name) == name.strip()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\u202eb", "a\0"])
def test_a_name_that_nobody_can_read_is_invalid(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_name(name)
    assert caught.value.field == "name"


def test_a_row_that_is_not_there_is_named() -> None:
    assert row_or_404(LIVE, "webhook 3") is LIVE
    with pytest.raises(NotFound, match=r"^There is no webhook 3\.$"):
        row_or_404(None, "webhook 3")


def test_a_deleted_row_counts_as_none() -> None:
    assert unless_deleted(LIVE) is LIVE
    assert unless_deleted(DELETED) is None
    assert unless_deleted(Location(deleted_at=datetime.now(UTC))) is None


@pytest.mark.parametrize("webhook", [None, DELETED])
def test_a_change_of_a_deleted_webhook_is_a_conflict(webhook: Webhook | None) -> None:
    with pytest.raises(Conflict, match="Webhook 3 does not exist any more"):
        existing_webhook(webhook, 3)
    assert existing_webhook(LIVE, 3) is LIVE
