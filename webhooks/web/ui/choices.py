"""What lists in forms offer, as {value: text}; at most 200 entries."""

from typing import Final

from webhooks.catalogue import filter_label
from webhooks.db.models import Webhook
from webhooks.services.container import services

_LISTED: Final = 200
_NAME: Final = 60  # characters of a webhook's name


def webhook_choices() -> dict[int, str]:
    """Webhooks by their ids, the oldest first."""
    return {webhook.id: _described(webhook) for webhook in services().overview.named_webhooks(_LISTED)}


def location_choices() -> dict[int, str]:
    """Locations by their ids, in the order of their names."""
    return services().overview.named_locations(_LISTED)


def _described(webhook: Webhook) -> str:
    """A webhook's name, and what tells it from others of the same name."""
    name = webhook.name if len(webhook.name) <= _NAME else f"{webhook.name[:_NAME]}…"
    label = filter_label(webhook.kind, webhook.types, webhook.statuses)
    return f"{name}: {label}, {webhook.location.name}"
