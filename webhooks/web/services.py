"""What the doors call: one set for each app."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from webhooks.db import Store
from webhooks.delivery.wakeup import Waker
from webhooks.events.intake import Intake
from webhooks.history import History
from webhooks.registry import Registry
from webhooks.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    store: Store
    intake: Intake
    registry: Registry
    history: History


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    app.extensions["spoke"] = Services(
        settings, store, Intake(store, Waker(settings)), Registry(settings, store), History(store)
    )


def services() -> Services:
    """Those of the app that handles the request."""
    return cast(Services, current_app.extensions["spoke"])
