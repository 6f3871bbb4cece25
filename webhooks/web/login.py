"""Log-in of the one admin."""

import hmac
from typing import Any

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash

from webhooks.models import Meta
from webhooks.web.access import admin, logged_in, public, session_epoch
from webhooks.web.services import services

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
@public
def show() -> Any:
    if logged_in():
        return redirect(url_for("overview.show"), 303)
    return render_template("login.html", error=None)


@blueprint.post("/login")
@public
def submit() -> Any:
    if not _right(request.form.get("password", "")):
        return render_template("login.html", error="That is not the password."), 422
    session.clear()
    session.update(user="admin", epoch=session_epoch())
    session.permanent = True
    return redirect(_local(request.args.get("next", "")), 303)


@blueprint.post("/logout")
@admin
def leave() -> Any:
    session.clear()
    return redirect(url_for("login.show"), 303)


def _right(password: str) -> bool:
    setting = services().settings.admin_password
    if setting is not None:
        return hmac.compare_digest(password.encode(), setting.encode())
    with services().store.read() as reading:
        kept = reading.get(Meta, "admin_password_hash")
    return kept is not None and check_password_hash(kept.value, password)


def _local(target: str) -> str:
    """A path of ours to go back to; anything that could lead elsewhere is not followed."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return url_for("overview.show")
    return request.script_root + target
