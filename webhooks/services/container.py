"""All services of a process, composed once."""

from dataclasses import dataclass

from webhooks.db.store import Store
from webhooks.events.intake import Intake
from webhooks.events.recording_intake import Recordings
from webhooks.outbox.wakeup import Waker
from webhooks.services import Registry
from webhooks.services.deliveries import History
from webhooks.services.delivery_log import Search
from webhooks.services.erasures import Erasures
from webhooks.services.inboxes import Inboxes
from webhooks.services.recordings import Library
from webhooks.services.sessions import Sessions
from webhooks.services.stats import Pulses
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
