"""The services of a process, composed once; pages, commands and processes take them from here."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from webhooks.db.store import Store
from webhooks.events.intake import Intake
from webhooks.events.recording_intake import RecordingIntake
from webhooks.outbox.wakeup import Waker
from webhooks.services.api_keys import ApiKeys
from webhooks.services.deliveries import Deliveries
from webhooks.services.delivery_log import DeliveryLog
from webhooks.services.erasures import Erasures
from webhooks.services.inboxes import Inboxes
from webhooks.services.locations import Locations
from webhooks.services.recordings import Recordings
from webhooks.services.sessions import Sessions
from webhooks.services.stats import Stats
from webhooks.services.webhooks import Webhooks
from webhooks.settings import Settings

_EXTENSION = "spoke"


@dataclass(frozen=True)
class Services:
    """One object a noun. None of them connects to anything before its first use, so they survive a fork."""

    settings: Settings
    store: Store
    waker: Waker
    intake: Intake
    recording_intake: RecordingIntake
    locations: Locations
    webhooks: Webhooks
    api_keys: ApiKeys
    deliveries: Deliveries
    delivery_log: DeliveryLog
    recordings: Recordings
    erasures: Erasures
    inboxes: Inboxes
    sessions: Sessions
    stats: Stats


def compose(settings: Settings, store: Store) -> Services:
    """Make every service on one store."""
    waker = Waker(settings)
    intake = Intake(store, waker)
    return Services(
        settings=settings,
        store=store,
        waker=waker,
        intake=intake,
        recording_intake=RecordingIntake(settings, intake),
        locations=Locations(store),
        webhooks=Webhooks(settings, store),
        api_keys=ApiKeys(store),
        deliveries=Deliveries(store),
        delivery_log=DeliveryLog(store),
        recordings=Recordings(settings, store),
        erasures=Erasures(settings, store),
        inboxes=Inboxes(settings, store),
        sessions=Sessions(store),
        stats=Stats(store),
    )


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang the services into the app, for ``services()``."""
    app.extensions[_EXTENSION] = compose(settings, store)


def services() -> Services:
    """The services of the app that handles the request or runs the command."""
    return cast(Services, current_app.extensions[_EXTENSION])
