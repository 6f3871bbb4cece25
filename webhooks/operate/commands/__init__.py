"""``flask --app app …``: administration from the command line, a module a group of commands."""

from flask import Flask

from webhooks.db import Store
from webhooks.erasures import Erasures
from webhooks.history import History
from webhooks.library import Library
from webhooks.operate.commands import deliveries, erase, events, keys, locations, media, password, webhooks
from webhooks.registry import Registry
from webhooks.settings import Settings


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang the commands into the app's command line."""
    registry, history = Registry(settings, store), History(store)
    for group in (
        locations.group(registry),
        webhooks.group(registry, store, settings),
        events.group(registry, store, settings),
        deliveries.group(history, settings),
        deliveries.replays(history, settings),
        media.group(Library(settings, store), settings, store),
        erase.command(Erasures(settings, store)),
        keys.group(registry),
        password.command(settings, store),
    ):
        app.cli.add_command(group)
