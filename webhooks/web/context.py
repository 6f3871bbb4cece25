"""What the doors call: one set for each app."""

from typing import cast

from flask import Flask, current_app

from webhooks.db.store import Store
from webhooks.events.intake import Intake
from webhooks.events.recording_intake import Recordings
from webhooks.outbox.wakeup import Waker
from webhooks.services import Registry
from webhooks.services.container import Services
from webhooks.services.deliveries import History
from webhooks.services.delivery_log import Search
from webhooks.services.erasures import Erasures
from webhooks.services.inboxes import Inboxes
from webhooks.services.recordings import Library
from webhooks.services.sessions import Sessions
from webhooks.services.stats import Pulses
from webhooks.settings import Settings


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    waker = Waker(settings)
    intake = Intake(store, waker)
    app.extensions["spoke"] = Services(
        settings,
        store,
        intake,
        Registry(settings, store),
        History(store),
        Search(store),
        Pulses(store),
        Sessions(store),
        Inboxes(settings, store),
        waker,
        Recordings(settings, intake),
        Library(settings, store),
        Erasures(settings, store),
    )


def services() -> Services:
    """Those of the app that handles the request."""
    return cast(Services, current_app.extensions["spoke"])
