"""What all pages share: values of every template, forms and queries, lists by pages, notices, secrets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, flash, request, session, url_for

from webhooks import catalogue
from webhooks.db.models import Location, Webhook
from webhooks.services.container import services
from webhooks.services.integrations import INTEGRATIONS, WEBHOOKS, Integration
from webhooks.services.parsing import Cursor, Input, Model, parse
from webhooks.settings import VERSION
from webhooks.web.ui import filters
from webhooks.web.ui.cards import PAGES
from webhooks.web.ui.filters import localize, zone
from webhooks.web.ui.log_rows import log_rows

_PAGE: Final = 50  # items of a list
_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})  # the machine itself, whatever links say
# Which entry of the menu a page belongs to, where it is not that of its own blueprint.
_ENTRIES: Final = {
    "webhooks": "integrations", "webhook_edit": "integrations", "webhook_actions": "integrations",
    "replays": "integrations", "zapier": "integrations", "zoho": "integrations", "export": "deliveries",
    "refusals": "locations",
    "pbx": "locations", "pbx_media": "locations", "phone_systems": "locations", "erasures": "settings",
    "styleguide": "settings", "api_keys": "settings", "api_document": "settings",
}  # fmt: skip
_Item = TypeVar("_Item")


class PageQuery(Input):
    """Where a list goes on: below the row ``before``, or at its ``page``, which counts from 1."""

    before: Cursor = None
    page: Cursor = None


def init_app(app: Flask) -> None:
    """Give every template its filters and values."""
    filters.init_app(app)
    app.add_template_filter(log_rows)
    app.context_processor(_in_templates)


def _in_templates() -> dict[str, Any]:
    settings = services().settings
    return {
        "asset": asset,
        "version": VERSION,
        "zone": str(zone() or datetime.now().astimezone().tzname()),
        "filter_label": catalogue.filter_label,
        "no_public_url": settings.wildcard_host and not settings.public_url,
        "base_url": settings.base_url,
        "reached_as": _reached_as(),
        "menu_entry": _ENTRIES.get(request.blueprint or "", request.blueprint),
        "hidden": catalogue.HIDDEN,
        "logged_in": "id" in session,
        "location_trail": location_trail,
        "webhook_trail": webhook_trail,
    }


def _reached_as() -> str | None:
    """The address by which the visitor came, where links say another one and nobody has set it."""
    settings = services().settings
    address = f"{request.scheme}://{request.host}"  # not host_url, which fails for a name that IDNA refuses
    try:
        came, told = urlsplit(address), urlsplit(settings.base_url)
        own = {came.hostname, told.hostname} <= _OWN_NAMES
    except ValueError:  # no address at all
        return None
    return None if settings.public_url or own or came.netloc == told.netloc else address


def location_trail(location: Location, integration: Integration = WEBHOOKS) -> list[tuple[str, str]]:
    """The way to an integration of a location: (text, address), from the main page on.

    A deleted location has no page.
    """
    steps = [("Integrations", url_for("integrations.index"))]
    if location.deleted_at is None:
        page = url_for(PAGES[integration.name].manage, location_id=location.id)
        steps.append((f"{location.name} & {integration.title}", page))
    return steps


def webhook_trail(webhook: Webhook) -> list[tuple[str, str]]:
    """The way to a webhook's page."""
    step = (webhook.name[:60], url_for("webhooks.show", webhook_id=webhook.id))
    return [*location_trail(webhook.location, INTEGRATIONS[webhook.integration]), step]


def asset(name: str) -> str:
    """A static file's address, which changes with the file: browsers may keep it for ever."""
    changed_at = int(os.stat(os.path.join(current_app.static_folder or "", name)).st_mtime)
    return url_for("static", filename=name, v=f"{changed_at:x}")


@dataclass(frozen=True, slots=True)
class Paged(Generic[_Item]):
    """One page of a list that is all in memory; ``page`` counts from 1, ``count`` is that of all pages."""

    items: Sequence[_Item]
    page: int
    count: int


def paged(items: Sequence[_Item], size: int = _PAGE) -> Paged[_Item]:
    """The page that the address asks for, or the nearest that there is."""
    count = max(1, -(-len(items) // size))
    page = min(max(parse_query(PageQuery).page or 1, 1), count)
    return Paged(items[(page - 1) * size : page * size], page, count)


def parse_form(model: type[Model]) -> Model:
    """The form that was sent; times without a zone are meant in SPOKE_TZ. Raises Invalid."""
    return parse(model, request.form, localize)


def parse_query(model: type[Model]) -> Model:
    """The address's query; times without a zone are meant in SPOKE_TZ. Raises Invalid."""
    return parse(model, request.args, localize)


def plain(text: str) -> Response:
    """Respond with text as it is, for a browser to show or to save."""
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def wants_fragment() -> bool:
    """Whether htmx asks for a part of a page; a filter asks for a whole one, and takes its part from it."""
    return request.headers.get("HX-Request") == "true" and "HX-Whole" not in request.headers


def notice(text: str, *, warns: bool = False) -> None:
    """Show a sentence on the next page, in amber where it ``warns``."""
    flash(text, "warn" if warns else "message")


def reveal(what: str, secret: str, about: str) -> None:
    """Show a secret on the next page, once. It lies in the visitor's own cookie until then, in no log."""
    session["reveal"] = {"what": what, "secret": secret, "about": about}


def revealed(about: str) -> dict[str, str] | None:
    """The secret to show on the page about this, or None."""
    kept: dict[str, str] | None = session.get("reveal")
    return session.pop("reveal") if kept and kept["about"] == about else None
