"""What lists in forms offer, as {value: text}; at most 200 entries."""

from typing import Final

from webhooks.catalogue import filter_label
from webhooks.services.container import services

_LISTED: Final = 200


def webhook_choices() -> dict[int, str]:
    """Webhooks by their ids, the oldest first."""
    return {
        webhook.id: f"{webhook.id}: {filter_label(webhook.kind, webhook.type, webhook.call_status)}, "
        f"{webhook.location.name}"
        for webhook in services().webhooks.all()[:_LISTED]
    }


def location_choices() -> dict[int, str]:
    """Locations by their ids, in the order of their names."""
    return {location.id: location.name for location in services().locations.all()[:_LISTED]}
