"""Connect to Zoho PhoneBridge: the client, the log-in there, users and extensions, the state; disconnect."""

import hmac
import secrets
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, session, url_for
from pydantic import Field

from webhooks.catalogue import counted
from webhooks.errors import Invalid, SpokeError
from webhooks.outbound.zoho_addresses import DATA_CENTERS
from webhooks.services.charts import bar_chart
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.integrations import ZOHO
from webhooks.services.parsing import Input, RowNumber
from webhooks.services.zoho import STATES, ZohoInput
from webhooks.services.zoho_extensions import by_user
from webhooks.web.shared.access import admin
from webhooks.web.ui.cards import unconnected
from webhooks.web.ui.page import notice, parse_form, parse_query

blueprint = Blueprint("zoho", __name__)
_LATEST: Final = 10
_USER: Final = "user-"  # what a field's name begins with that has a user's extensions


class ConnectForm(ZohoInput):
    """A location and its client."""

    location: RowNumber = Field(title="Location")


class MappingForm(Input):
    as_ended: bool = Field(default=False, title="Calls that nobody took as ended")


class Callback(Input):
    """What Zoho leads a person back with: a code, or an error. ``server``: whose code it is."""

    state: str = ""
    code: str = ""
    error: str = ""
    server: str = ""


@blueprint.get("/zoho/connect")
@admin
def connect() -> Any:
    return _connect_page()


@blueprint.post("/zoho/connect")
@admin
def connect_submit() -> Any:
    try:
        form = parse_form(ConnectForm)
        location = services().locations.get(form.location)
        services().zoho.prepare(location.name, ZohoInput(**form.model_dump(exclude={"location"})))
    except SpokeError as error:
        return _connect_page(error), 422
    return redirect(url_for("zoho.show", location_id=location.id), 303)


@blueprint.get("/locations/<int:location_id>/zoho")
@admin
def show(location_id: int) -> Any:
    return _page(location_id)


@blueprint.post("/locations/<int:location_id>/zoho")
@admin
def client_submit(location_id: int) -> Any:
    """Change the client: another one, or a new secret of the same."""
    location = services().locations.get(location_id)
    try:
        services().zoho.prepare(location.name, parse_form(ZohoInput))
    except SpokeError as error:
        return _page(location_id, error), 422
    notice("The client is saved. Now log in at Zoho: Connect again.")
    return redirect(url_for("zoho.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/zoho/login")
@admin
def log_in(location_id: int) -> Any:
    """Lead to Zoho. It leads back with a word that only this browser knows."""
    account = services().zoho.by_name(services().locations.get(location_id).name)
    state = secrets.token_urlsafe(32)
    session["zoho"] = {"state": state, "location": location_id}
    return redirect(services().zoho.login_url(account, state), 303)


@blueprint.get("/zoho/callback")
@admin
def callback() -> Any:
    """Say what is going on while Zoho is asked: the page goes on by itself, or by its button."""
    given = parse_query(Callback)
    _check_begun_here(given, session.get("zoho"))
    fields = {**given.model_dump(), "server": request.args.get("accounts-server", "")}
    return render_template("zoho/callback.html", given=fields)


@blueprint.post("/zoho/callback")
@admin
def callback_submit() -> Any:
    """Take the grant that a person gave at Zoho, and switch PhoneBridge on."""
    given = parse_form(Callback)
    location_id = _check_begun_here(given, session.pop("zoho", None))
    try:
        if given.error or not given.code:
            said = given.error[:60] or "no code"
            raise Invalid(f"Zoho gave no grant ({said}), so nothing has changed. Log in again, and accept.")
        services().zoho.complete(location_id, given.code, given.server)
        account = services().zoho.switch_on(location_id)
    except SpokeError as error:
        notice(str(error), warns=True)
        return redirect(url_for("zoho.show", location_id=location_id), 303)
    notice(
        f"{account.location.name} is connected to {ZOHO.title}. It has "
        f"{counted(len(account.users), 'user')} there: say below which extensions are theirs."
    )
    return redirect(url_for("zoho.show", location_id=location_id), 303)


@blueprint.post("/locations/<int:location_id>/zoho/on")
@admin
def switch_on(location_id: int) -> Any:
    """Try again what failed after the log-in."""
    try:
        account = services().zoho.switch_on(location_id)
    except SpokeError as error:
        return _page(location_id, error), 422
    notice(f"{account.location.name} is connected to {ZOHO.title}.")
    return redirect(url_for("zoho.show", location_id=location_id), 303)


@blueprint.post("/locations/<int:location_id>/zoho/users")
@admin
def users_submit(location_id: int) -> Any:
    try:
        account = services().zoho.read_users(location_id)
    except SpokeError as error:
        return _page(location_id, error), 422
    notice(f"Zoho has {counted(len(account.users), 'user')}.")
    return redirect(url_for("zoho.show", location_id=location_id), 303)


@blueprint.post("/locations/<int:location_id>/zoho/extensions")
@admin
def extensions_submit(location_id: int) -> Any:
    try:
        form = parse_form(MappingForm)
        services().zoho.change(location_id, _typed_extensions(), as_ended=form.as_ended)
    except SpokeError as error:
        return _page(location_id, error), 422
    notice("Saved. It holds from the next call on.")
    return redirect(url_for("zoho.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/zoho/state")
@admin
def state(location_id: int) -> Any:
    """How the connection is: what changes on its page by itself."""
    account = services().zoho.by_name(services().locations.get(location_id).name)
    return render_template(
        "zoho/_state.html", account=account, states=STATES, **_standing(account.webhook_id)
    )


@blueprint.post("/locations/<int:location_id>/zoho/<any(pause, resume, now):action>")
@admin
def act(location_id: int, action: str) -> Any:
    """Pause, resume, or try now."""
    account = services().zoho.by_name(services().locations.get(location_id).name)
    if account.webhook_id is None:
        raise Invalid("The location is not connected to Zoho yet.")
    webhooks, number = services().webhooks, account.webhook_id
    if action == "now":
        count, _ = webhooks.now(number)
    else:
        count = webhooks.pause(number) if action == "pause" else webhooks.resume(number)
    told = {"pause": "held from now on", "resume": "sent", "now": "tried now"}[action]
    notice(f"Messages to Zoho are {told}: {counted(count, 'delivery', 'deliveries')} so far.")
    return redirect(url_for("zoho.show", location_id=location_id), 303)


@blueprint.get("/locations/<int:location_id>/zoho/disconnect")
@admin
def disconnect(location_id: int) -> Any:
    account = services().zoho.by_name(services().locations.get(location_id).name)
    unsent = 0
    if account.webhook_id is not None:
        stats = services().stats
        unsent = stats.count(account.webhook_id, "held") + stats.count(account.webhook_id, "pending")
    return render_template("zoho/disconnect.html", account=account, unsent=unsent)


@blueprint.post("/locations/<int:location_id>/zoho/disconnect")
@admin
def disconnect_submit(location_id: int) -> Any:
    location = services().locations.get(location_id)
    problem = services().zoho.disconnect(location.name)
    if problem:
        notice(
            f"{location.name} is disconnected from {ZOHO.title} here, and the grant is forgotten. Zoho may "
            f"still show it as connected; disable it there as well. {problem}",
            warns=True,
        )
    else:
        notice(f"{location.name} is disconnected from {ZOHO.title}.")
    return redirect(url_for("integrations.index"), 303)


def _check_begun_here(given: Callback, begun: dict[str, Any] | None) -> int:
    """Return the location whose log-in at Zoho this browser has begun. Raises Invalid for any other."""
    if not begun or not hmac.compare_digest(given.state.encode(), str(begun["state"]).encode()):
        raise Invalid(
            "This log-in at Zoho was not begun in this browser. Begin it again from the connection."
        )
    return int(begun["location"])


def _connect_page(error: SpokeError | None = None) -> str:
    waiting = unconnected(ZOHO)
    return render_template(
        "zoho/connect.html",
        waiting=waiting,
        begun=[one.location for one in services().zoho.all() if one.location_id in waiting],
        centers=DATA_CENTERS,
        typed=request.form,
        redirect_uri=services().zoho.redirect_uri,
        error=error,
    )


def _page(location_id: int, error: SpokeError | None = None) -> str:
    account = services().zoho.by_name(services().locations.get(location_id).name)
    typed = _typed_extensions()
    return render_template(
        "zoho/show.html",
        account=account,
        location=account.location,
        client=request.form if "client_id" in request.form else account,
        states=STATES,
        centers=DATA_CENTERS,
        redirect_uri=services().zoho.redirect_uri,
        extensions=typed or by_user(account.extensions),
        as_ended="as_ended" in request.form if typed else account.as_ended,
        page=account.webhook_id
        and services().delivery_log.page(DeliveryFilter(webhook=account.webhook_id), count=_LATEST),
        chart=account.webhook_id
        and bar_chart(services().stats.of_webhooks([account.webhook_id])[account.webhook_id]),
        error=error,
        **_standing(account.webhook_id),
    )


def _typed_extensions() -> dict[str, str]:
    return {name.removeprefix(_USER): text for name, text in request.form.items() if name.startswith(_USER)}


def _standing(webhook_id: int | None) -> dict[str, Any]:
    """How the connection's deliveries stand."""
    if webhook_id is None:
        return {"facts": None}
    facts = services().webhooks.facts([webhook_id])[webhook_id]
    return {
        "facts": facts,
        "can_be_hurried": facts.can_be_hurried(datetime.now(UTC)),
        "held": services().stats.count(webhook_id, "held"),
    }
