"""Every HTTP door. A module here is a screen or a group of endpoints; each view says who may come in."""

from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter

from webhooks.db import Store
from webhooks.settings import Settings
from webhooks.web import (
    access,
    cards,
    changes,
    deliveries,
    download,
    erasures,
    export,
    health,
    hook,
    inboxes,
    locations,
    login,
    pages,
    problems,
    proxy,
    replays,
    services,
    upload,
    webhooks,
)
from webhooks.web import (
    settings as settings_page,
)


class _Id(IntegerConverter):
    """A number in an address: what no row can have is no page, 404."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **{"max": (1 << 63) - 1, **more})


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang all doors into the app."""
    services.init_app(app, settings, store)
    proxy.init_app(app, settings)
    access.init_app(app)
    problems.init_app(app)
    pages.init_app(app)
    app.url_map.converters["int"] = _Id
    doors = (
        hook, upload, download, health, login, cards, webhooks, deliveries, export, erasures, replays,
        inboxes, locations, changes, settings_page, pages,
    )  # fmt: skip
    for module in doors:
        app.register_blueprint(module.blueprint)
