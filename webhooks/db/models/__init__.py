"""The tables. No I/O here; times are aware datetimes, kept as milliseconds UTC.

Alembic compares all of them with the migrations, so every model is imported here.
"""

from webhooks.db.models.alerts import AlertSettings, Certificate, ExpectedSilence, Matter, Notice
from webhooks.db.models.configuration import ApiKey, Connection, Lane, Location, Meta, Rotated, Webhook
from webhooks.db.models.long_jobs import Erasure, LongJob, Replay
from webhooks.db.models.outbox import Attempt, Delivery, Event, Media, Unsubscription, Worker
from webhooks.db.models.pbx import PbxConnection
from webhooks.db.models.people import Change, Inbox, InboxMessage, LoginFailure, LoginSession
from webhooks.db.models.phone_systems import CallView, PhoneSite, UnknownKind
from webhooks.db.models.refusals import Refusal, RefusalCount
from webhooks.db.models.totals import EventNumber, Heard, Tally, Traffic
from webhooks.db.models.zoho import ZohoAccount

__all__ = [
    "AlertSettings",
    "ApiKey",
    "Attempt",
    "CallView",
    "Certificate",
    "Change",
    "Connection",
    "Delivery",
    "Erasure",
    "Event",
    "EventNumber",
    "ExpectedSilence",
    "Heard",
    "Inbox",
    "InboxMessage",
    "Lane",
    "Location",
    "LoginFailure",
    "LoginSession",
    "LongJob",
    "Matter",
    "Media",
    "Meta",
    "Notice",
    "PbxConnection",
    "PhoneSite",
    "Refusal",
    "RefusalCount",
    "Replay",
    "Rotated",
    "Tally",
    "Traffic",
    "UnknownKind",
    "Unsubscription",
    "Webhook",
    "Worker",
    "ZohoAccount",
]
