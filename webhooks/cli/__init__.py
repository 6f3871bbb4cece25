"""``flask --app app …``: administration from the command line, a module a group of commands."""

from flask import Flask

from webhooks.cli import api_keys, deliveries, erasures, events, locations, password, recordings, webhooks
from webhooks.db.store import Store
from webhooks.services import Registry
from webhooks.services.deliveries import Deliveries
from webhooks.services.erasures import Erasures
from webhooks.services.recordings import Recordings
from webhooks.settings import Settings


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang the commands into the app's command line."""
    registry, history = Registry(settings, store), Deliveries(store)
    for group in (
        locations.group(registry),
        webhooks.group(registry, store, settings),
        events.group(registry, store, settings),
        deliveries.group(history, settings),
        deliveries.replays(history, settings),
        recordings.group(Recordings(settings, store), settings, store),
        erasures.command(Erasures(settings, store)),
        api_keys.group(registry),
        password.command(settings, store),
    ):
        app.cli.add_command(group)
