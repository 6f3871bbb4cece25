"""Every HTTP endpoint. A module here is a screen or a group of endpoints; each view says who may use it."""

from flask import Flask
from werkzeug.routing import IntegerConverter

from webhooks.db.store import Store
from webhooks.services import container
from webhooks.settings import Settings
from webhooks.web.api import account as api_account
from webhooks.web.api import alerts as api_alerts
from webhooks.web.api import deliveries as api_deliveries
from webhooks.web.api import document as api_document
from webhooks.web.api import events as api_events
from webhooks.web.api import locations as api_locations
from webhooks.web.api import refusals as api_refusals
from webhooks.web.api import replays as api_replays
from webhooks.web.api import webhooks as api_webhooks
from webhooks.web.ingest import events as ingest_events
from webhooks.web.ingest import phone_systems as ingest_phone_systems
from webhooks.web.ingest import recordings as ingest_recordings
from webhooks.web.ingest import refusals as ingest_refusals
from webhooks.web.ingest import shortcut
from webhooks.web.public import download, health
from webhooks.web.shared import access, problems, trusted_proxy
from webhooks.web.shared.sessions import Sessions
from webhooks.web.ui import (
    alerts,
    api_keys,
    audit,
    deliveries,
    delivery_count,
    erasures,
    export,
    inboxes,
    integrations,
    locations,
    login,
    page,
    pbx,
    pbx_media,
    phone_systems,
    refusals,
    replays,
    styleguide,
    theme,
    webhook_actions,
    webhook_edit,
    webhooks,
    zapier,
    zoho,
)
from webhooks.web.ui import settings as settings_page


class _Id(IntegerConverter):
    """A row's number in an address; 404 for one that no row can have.

    By the pattern, not by a greatest number: with that, a page that is asked and sent would answer 405.
    """

    regex = r"\d{1,18}"  # fits into 63 bits


_ENDPOINTS = (
    ingest_events, ingest_recordings, ingest_phone_systems, download, health,
    login, alerts, integrations, zapier, zoho, webhooks, webhook_edit, webhook_actions, deliveries,
    delivery_count, export, erasures, replays, inboxes, locations, refusals, pbx, pbx_media, phone_systems,
    audit, settings_page, styleguide, theme, api_keys,
    api_account, api_webhooks, api_replays, api_events, api_deliveries, api_locations, api_refusals,
    api_alerts, api_document,
)  # fmt: skip


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Register all endpoints, their checks and their error handlers."""
    container.init_app(app, settings, store)
    trusted_proxy.init_app(app, settings)
    shortcut.init_app(app)
    access.init_app(app)
    problems.init_app(app)
    page.init_app(app)
    ingest_refusals.init_app(app)
    app.session_interface = Sessions()
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]  # none is async, and asking takes time
    app.url_map.converters["int"] = _Id
    for blueprint in dict.fromkeys(module.blueprint for module in _ENDPOINTS):  # some share theirs
        app.register_blueprint(blueprint)
