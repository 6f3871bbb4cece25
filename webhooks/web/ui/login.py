"""Log-in of the one admin."""

import logging
from typing import Any, Final

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from pydantic import ConfigDict

from webhooks.errors import NoCapacity, TooMany
from webhooks.services.container import services
from webhooks.services.parsing import Input
from webhooks.web.shared import slots
from webhooks.web.shared.access import admin, logged_in, public, session_epoch
from webhooks.web.shared.own_paths import own_address
from webhooks.web.ui.page import notice, parse_form, parse_query

_REFUSED_SECONDS: Final = (
    1.0  # a crowd that tries passwords waits for its refusals: else it uses a processor up
)

blueprint = Blueprint("login", __name__)

log = logging.getLogger(__name__)


class LoginForm(Input):
    """The password, with its blanks; none is a wrong one."""

    model_config = ConfigDict(str_strip_whitespace=False)

    password: str = ""


class LoginQuery(Input):
    """Where to go after the log-in: the path of a page of ours."""

    next: str | None = None


@blueprint.get("/login")
@public
def show() -> Any:
    if logged_in():
        return redirect(url_for("integrations.index"), 303)
    return _page()


@blueprint.post("/login")
@public
def submit() -> Any:
    address = request.remote_addr or ""
    try:
        right = right_password(address, parse_form(LoginForm).password)
    except NoCapacity:
        slots.hold_answer(_REFUSED_SECONDS)
        raise
    except TooMany as error:
        slots.hold_answer(_REFUSED_SECONDS)
        page = make_response(_page(str(error)), 429)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    if not right:
        return _page("Wrong password."), 422
    session.clear()
    session.update(id=services().sessions.begin(address, request.user_agent.string), epoch=session_epoch())
    session.permanent = True
    log.info("admin logged in", extra={"address": address})
    return redirect(own_address(parse_query(LoginQuery).next), 303)


@blueprint.post("/logout")
@admin
def log_out() -> Any:
    services().sessions.end(session["id"])
    session.clear()
    notice("You are logged out.")
    return redirect(url_for("login.show"), 303)


def _page(error: str | None = None) -> str:
    """The form, with the reason why one came to it."""
    why = None
    if "id" in session:
        why = "Your session has ended. Log in to go on."
    elif (parse_query(LoginQuery).next or "/") != "/":
        why = "Log in to see that page."
    return render_template("login.html", error=error, why=why)


def right_password(address: str, password: str) -> bool:
    """Whether it is the admin's. A wrong one counts for the address that it comes from.

    Raises:
        TooMany: wrong ones came from there. NoCapacity: too many are being judged.
    """
    with slots.log_ins.take():  # first of all: who comes in a crowd costs next to nothing
        services().login_throttle.may_try(address)
        failures = services().login_throttle.count_try(address)
        with slots.waiting():
            right = services().password.matches(password)
        if right:
            services().login_throttle.forgive(address)
            return True
    log.warning("wrong password at log-in", extra={"address": address, "failures": failures})
    return False
