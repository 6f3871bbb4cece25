"""Every HTTP door. A module here is a screen or a group of endpoints; each view says who may come in."""

from flask import Flask

from webhooks.db import Store
from webhooks.settings import Settings
from webhooks.web import access, health, hook, login, overview, problems, proxy, services


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang all doors into the app."""
    services.init_app(app, settings, store)
    proxy.init_app(app, settings)
    access.init_app(app)
    problems.init_app(app)
    for module in (hook, health, login, overview):
        app.register_blueprint(module.blueprint)
