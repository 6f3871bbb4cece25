"""Settings: their values, versions, disk, queues; password and sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, session, url_for
from pydantic import Field, model_validator

from webhooks.errors import Invalid
from webhooks.services.container import services
from webhooks.services.password import NewPassword
from webhooks.tokens import token_hash
from webhooks.web.shared.access import admin, session_epoch
from webhooks.web.ui.login import right_password
from webhooks.web.ui.page import notice, parse_form
from webhooks.web.ui.setting_rows import setting_groups

blueprint = Blueprint("settings", __name__)
_SESSIONS: Final = 20  # shown
_LATE: Final = timedelta(minutes=1)  # for a delivery that is due


class PasswordForm(NewPassword):
    """A new password, twice, and the current one."""

    present: str = Field(title="Current password")
    again: str = Field(title="Repeat new password")

    @model_validator(mode="after")
    def _is_the_same_twice(self) -> "PasswordForm":
        if self.new != self.again:
            raise Invalid("The new passwords do not match.", "again")
        return self


@blueprint.get("/settings")
@admin
def show() -> Any:
    return _page()


@blueprint.post("/settings/password")
@admin
def password() -> Any:
    """A new password; every other session ends."""
    services().password.check_changeable()
    try:
        form = parse_form(PasswordForm)
        if not right_password(request.remote_addr or "", form.present):
            raise Invalid("The current password is wrong.", "present")
    except Invalid as error:
        return _page(error), 422
    services().password.change(form.new, "all other sessions have ended")
    services().sessions.end_all()
    session.update(
        id=services().sessions.begin(request.remote_addr or "", request.user_agent.string),
        epoch=session_epoch(),
    )
    notice("The password is changed. All other sessions have ended.")
    return redirect(url_for("settings.show"), 303)


@blueprint.post("/settings/log-out-everywhere")
@admin
def log_out_everywhere() -> Any:
    services().sessions.end_all()
    session.clear()
    notice("Every session has ended, this one too.")
    return redirect(url_for("login.show"), 303)


def _page(error: Invalid | None = None) -> str:
    settings = services().settings
    queues = services().stats.queues()
    return render_template(
        "settings/show.html",
        groups=setting_groups(settings),
        versions=services().system.versions(),
        disk=services().system.disk(),
        pending=queues.pending,
        held=queues.held,
        oldest=queues.oldest_due_at,
        is_late=queues.oldest_due_at is not None and datetime.now(UTC) - queues.oldest_due_at > _LATE,
        workers=services().system.workers(),
        sessions=services().sessions.all()[:_SESSIONS],
        own_session=token_hash(session["id"]),
        fixed=settings.admin_password is not None,
        error=error,
    )
