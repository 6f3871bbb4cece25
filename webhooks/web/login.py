"""Log-in of the one admin."""

import hmac
import logging
import threading
from typing import Any, Final

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash

from webhooks.errors import TooMany
from webhooks.models import Meta
from webhooks.web.access import admin, logged_in, public, session_epoch
from webhooks.web.services import services

blueprint = Blueprint("login", __name__)
_HASHING: Final = threading.Semaphore(2)  # a check takes 32 MiB and a core: many at once would be an attack

log = logging.getLogger(__name__)


@blueprint.get("/login")
@public
def show() -> Any:
    if logged_in():
        return redirect(url_for("cards.show"), 303)
    return render_template("login.html", error=None)


@blueprint.post("/login")
@public
def submit() -> Any:
    address = request.remote_addr or ""
    try:
        services().sessions.may_try(address)
    except TooMany as error:
        page = make_response(render_template("login.html", error=str(error)), 429)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    if not right_password(request.form.get("password", "")):
        failures = services().sessions.failed(address)
        log.warning("log-in: a wrong password from %s, %d in a row", address, failures)
        return render_template("login.html", error="That is not the password."), 422
    session.clear()
    session.update(id=services().sessions.begin(address, request.user_agent.string), epoch=session_epoch())
    session.permanent = True
    log.info("log-in: admin from %s", address)
    return redirect(_local(request.args.get("next", "")), 303)


@blueprint.post("/logout")
@admin
def leave() -> Any:
    services().sessions.end(session["id"])
    session.clear()
    return redirect(url_for("login.show"), 303)


def right_password(password: str) -> bool:
    """Whether it is the admin's."""
    setting = services().settings.admin_password
    if setting is not None:
        return hmac.compare_digest(password.encode("utf-8", "replace"), setting.encode())
    with services().store.read() as reading:
        kept = reading.get(Meta, "admin_password_hash")
    with _HASHING:
        return kept is not None and check_password_hash(kept.value, password)


def _local(target: str) -> str:
    """A path of ours to go back to; anything that could lead elsewhere is not followed."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return url_for("cards.show")
    return request.script_root + target
