"""Alerts: what is the matter, who is told of it, and what came of the telling."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from webhooks.db.models import AlertSettings
from webhooks.errors import Conflict, ReadFailed, SpokeError
from webhooks.services.alerts import SilenceInput
from webhooks.services.channels import SECURITY, MailInput, UrlInput
from webhooks.services.container import services
from webhooks.services.matters import title_of
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import notice, parse_form, reveal, revealed

blueprint = Blueprint("alerts", __name__)

_MAIL_FIELDS = ("host", "port", "security", "user", "sender", "recipients", "ca")


@blueprint.app_context_processor
def _in_templates() -> dict[str, Any]:
    return {"open_matters": open_matters}


def open_matters() -> int:
    """How many matters are open, for the menu. A page that says the database is away has to be made too."""
    try:
        return services().alerts.count_open()
    except ReadFailed:
        return 0


@blueprint.get("/alerts")
@admin
def index() -> Any:
    return _page()


@blueprint.get("/alerts/sent")
@admin
def sent() -> Any:
    """The messages, for a page that waits for one of them."""
    return render_template("alerts/_sent.html", notices=services().alerts.notices.latest())


@blueprint.post("/alerts/mail")
@admin
def save_mail() -> Any:
    try:
        services().alerts.channels.save_mail(parse_form(MailInput))
    except SpokeError as error:
        return _page(error), 422
    notice("Alerts go by mail from now on. Send a test alert to see one arrive.")
    return _back()


@blueprint.post("/alerts/url")
@admin
def save_url() -> Any:
    try:
        secret = services().alerts.channels.save_url(parse_form(UrlInput))
    except SpokeError as error:
        return _page(error), 422
    if secret:
        reveal("The secret that alerts are signed with", secret, "alerts")
    notice("Alerts go to the URL from now on. Send a test alert to see one arrive.")
    return _back()


@blueprint.get("/alerts/url/rotate")
@admin
def rotate() -> Any:
    """Ask whether there is to be a new secret, or say why there cannot be one."""
    return _rotate_page()


@blueprint.post("/alerts/url/rotate")
@admin
def rotate_submit() -> Any:
    try:
        secret = services().alerts.channels.rotate_secret()
    except Conflict as error:
        return _rotate_page(error), 409
    reveal("The new secret that alerts are signed with", secret, "alerts")
    notice("Both secrets are valid for 24 hours. Update your receiver in that time.")
    return _back()


@blueprint.post("/alerts/url/end-secret")
@admin
def end_former_secret() -> Any:
    """Stop signing with the old secret before its day is over."""
    services().alerts.channels.end_former_secret()
    notice("The old secret no longer signs.")
    return _back()


def _rotate_page(error: Conflict | None = None) -> str:
    return render_template("alerts/rotate.html", row=services().alerts.channels.read(), error=error)


@blueprint.post("/alerts/<any(mail, url):channel>/remove")
@admin
def remove(channel: Any) -> Any:
    services().alerts.channels.remove(channel)
    notice("No alert goes by mail any more." if channel == "mail" else "No alert goes to the URL any more.")
    return _back()


@blueprint.post("/alerts/test")
@admin
def test() -> Any:
    try:
        services().alerts.test()
    except SpokeError as error:
        return _page(error), 422
    return redirect(url_for("alerts.index", _anchor="sent"), 303)


@blueprint.post("/locations/<int:location_id>/silence")
@admin
def save_silence(location_id: int) -> Any:
    try:
        services().alerts.set_silence(location_id, parse_form(SilenceInput))
    except SpokeError as error:
        notice(str(error), warns=True)
    else:
        notice("The expected silence is saved.")
    return redirect(url_for("locations.show", location_id=location_id), 303)


def _back() -> Any:
    return redirect(url_for("alerts.index"), 303)


def _page(error: SpokeError | None = None) -> str:
    alerts = services().alerts
    row = alerts.channels.read()
    return render_template(
        "alerts/index.html",
        matters=alerts.open(),
        closed=alerts.closed(),
        locations={location.id for location in services().locations.all()},
        title_of=title_of,
        notices=alerts.notices.latest(),
        mail=_mail(row),
        has_mail=row.mail is not None,
        has_password=row.password is not None,
        url=request.form.get("url", "") if error else row.url,
        has_url=row.url is not None,
        both_until=row.both_until,
        security=SECURITY,
        revealed=revealed("alerts"),
        error=error,
    )


def _mail(row: AlertSettings) -> dict[str, Any]:
    """The form's values: what was typed where it was refused, else what is set. The password is never one."""
    if "host" in request.form or "sender" in request.form:
        return {name: request.form.get(name, "") for name in _MAIL_FIELDS}
    values: dict[str, Any] = {**dict.fromkeys(_MAIL_FIELDS, ""), "port": 587, "security": "starttls"}
    values |= {name: value for name, value in (row.mail or {}).items() if value is not None}
    recipients = values["recipients"]
    return values | {"recipients": ", ".join(recipients) if isinstance(recipients, list) else recipients}
