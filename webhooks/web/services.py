"""What the doors call: one set for each app."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from webhooks.db import Store
from webhooks.delivery.wakeup import Waker
from webhooks.erasures import Erasures
from webhooks.events.intake import Intake
from webhooks.events.recordings import Recordings
from webhooks.history import History
from webhooks.inboxes import Inboxes
from webhooks.library import Library
from webhooks.pulse import Pulses
from webhooks.registry import Registry
from webhooks.search import Search
from webhooks.sessions import Sessions
from webhooks.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    store: Store
    intake: Intake
    registry: Registry
    history: History
    search: Search
    pulses: Pulses
    sessions: Sessions
    inboxes: Inboxes
    waker: Waker
    recordings: Recordings
    media: Library
    erasures: Erasures


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
