"""Events that the appliance makes itself: a test event for one webhook, an event sent by command."""

import contextlib
from typing import Any

from webhooks.catalogue import sample_event
from webhooks.db.store import now_ms
from webhooks.errors import Conflict
from webhooks.events.intake import Intake
from webhooks.events.schema import make_event
from webhooks.events.storage import Accepted
from webhooks.outbox.wakeup import Waker
from webhooks.services.deliveries import Deliveries
from webhooks.services.locations import Locations
from webhooks.services.webhooks import Webhooks


class Events:
    """Events taken in as a PBX's are; the dispatcher is woken at once.

    Raises NotFound for an unknown name or id, InvalidEvent for fields that no event has, and Unavailable as
    the Store does.
    """

    def __init__(
        self, intake: Intake, waker: Waker, locations: Locations, webhooks: Webhooks, deliveries: Deliveries
    ) -> None:
        self._intake, self._waker = intake, waker
        self._locations, self._webhooks, self._deliveries = locations, webhooks, deliveries

    def send(self, location: str, fields: dict[str, Any]) -> Accepted:
        """Take in an event of a location, for all its webhooks."""
        return self._submit(self._locations.by_name(location).id, fields, "cli", None)

    def send_test(self, webhook_id: int) -> Accepted:
        """Send a sample of what the webhook is for, with ``"test": true``, to it and to no other.

        Where the circuit is open it goes at once, as the probe. A Retry-After holds it: the receiver asked
        for that.
        """
        webhook = self._webhooks.own(webhook_id)
        fields = sample_event(webhook.kind, webhook.types, webhook.statuses) | {"test": True}
        accepted = self._submit(webhook.location_id, fields, "test", webhook_id)
        if webhook.state == "active" and webhook.lane.not_before <= now_ms() < webhook.lane.probe_at:
            delivery = self._deliveries.of_event(webhook_id, accepted.id)
            with contextlib.suppress(Conflict):  # it is on its way already
                self._deliveries.now(delivery.id)
        return accepted

    def _submit(
        self, location_id: int, fields: dict[str, Any], origin: str, only_webhook: int | None
    ) -> Accepted:
        accepted = self._intake.submit(location_id, [make_event(fields)], origin, only_webhook)[0]
        self._waker.wake_once()
        return accepted
