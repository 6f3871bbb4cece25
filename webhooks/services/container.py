"""The services of a process, composed once; pages, commands and processes take them from here."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from webhooks.db.store import Store
from webhooks.events.intake import Intake
from webhooks.events.recording_intake import RecordingIntake
from webhooks.outbox.wakeup import Waker
from webhooks.services.alerts import Alerts
from webhooks.services.api_keys import ApiKeys
from webhooks.services.audit_log import AuditLog
from webhooks.services.deliveries import Deliveries
from webhooks.services.delivery_log import DeliveryLog
from webhooks.services.erasures import Erasures
from webhooks.services.event_log import EventLog
from webhooks.services.events import Events
from webhooks.services.inboxes import Inboxes
from webhooks.services.integrations import Integrations
from webhooks.services.locations import Locations
from webhooks.services.login_throttle import LoginThrottle
from webhooks.services.overview import Overview
from webhooks.services.password import AdminPassword
from webhooks.services.pbx import Pbx
from webhooks.services.phone_systems import PhoneSystems
from webhooks.services.recorded_calls import RecordedCalls
from webhooks.services.recordings import Recordings
from webhooks.services.refusals import Refusals
from webhooks.services.replays import Replays
from webhooks.services.sessions import Sessions
from webhooks.services.stats import Stats
from webhooks.services.system import System
from webhooks.services.webhooks import Webhooks
from webhooks.services.zapier import Zapier
from webhooks.services.zoho import Zoho
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
    integrations: Integrations
    zapier: Zapier
    api_keys: ApiKeys
    events: Events
    event_log: EventLog
    deliveries: Deliveries
    delivery_log: DeliveryLog
    replays: Replays
    recorded_calls: RecordedCalls
    recordings: Recordings
    erasures: Erasures
    inboxes: Inboxes
    pbx: Pbx
    phone_systems: PhoneSystems
    zoho: Zoho
    refusals: Refusals
    alerts: Alerts
    password: AdminPassword
    login_throttle: LoginThrottle
    sessions: Sessions
    stats: Stats
    overview: Overview
    audit_log: AuditLog
    system: System


def compose(settings: Settings, store: Store) -> Services:
    """Make every service on one store."""
    waker = Waker(settings)
    intake = Intake(store, waker)
    webhooks = Webhooks(settings, store, waker)
    zoho = Zoho(settings, store, webhooks)
    locations = Locations(store, zoho)
    recordings, deliveries = Recordings(settings, store), Deliveries(store, waker)
    return Services(
        settings=settings,
        store=store,
        waker=waker,
        intake=intake,
        recording_intake=RecordingIntake(settings, intake),
        locations=locations,
        webhooks=webhooks,
        integrations=Integrations(store),
        zapier=Zapier(store),
        api_keys=ApiKeys(store),
        events=Events(intake, waker, locations, webhooks, deliveries),
        event_log=EventLog(store, recordings),
        deliveries=deliveries,
        delivery_log=DeliveryLog(store),
        replays=Replays(store, waker),
        recorded_calls=RecordedCalls(store),
        recordings=recordings,
        erasures=Erasures(settings, store),
        inboxes=Inboxes(settings, store),
        pbx=Pbx(settings, store),
        phone_systems=PhoneSystems(settings, store, intake),
        zoho=zoho,
        refusals=Refusals(store),
        alerts=Alerts(settings, store),
        password=AdminPassword(settings, store),
        login_throttle=LoginThrottle(store),
        sessions=Sessions(store),
        stats=Stats(store),
        overview=Overview(store),
        audit_log=AuditLog(store),
        system=System(settings, store),
    )


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Hang the services into the app, for ``services()``."""
    app.extensions[_EXTENSION] = compose(settings, store)


def services() -> Services:
    """The services of the app that handles the request or runs the command."""
    return cast(Services, current_app.extensions[_EXTENSION])
