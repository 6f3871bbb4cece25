"""Every component of the stylesheet on one page, to be looked at after a change to it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, render_template

from webhooks.services.stats import HOURS, Hour
from webhooks.web.shared.access import admin

blueprint = Blueprint("styleguide", __name__)
_STATES: Final = (
    "active", "delivered", "done", "sending", "waiting", "pending", "running", "retrying", "held", "paused",
    "failing", "failed", "disabled", "expired", "dropped", "cancelled", "unmatched",
)  # fmt: skip


@blueprint.get("/styleguide")
@admin
def show() -> Any:
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [
        Hour(begins + timedelta(hours=n), n * 7 % 23, n * 3 % 5, 40 + n * 9 % 60, 200) for n in range(HOURS)
    ]
    return render_template("styleguide.html", states=_STATES, hours=hours, now=datetime.now(UTC))
