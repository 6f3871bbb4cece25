"""The cards of the main page: what a location is connected to, and what it can be connected to.

An integration is shown once it has its pages: ``INTEGRATIONS`` says what there is, ``PAGES`` where.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from webhooks.db.models import Location
from webhooks.services.container import services
from webhooks.services.integrations import INTEGRATIONS, WEBHOOKS, ZAPIER, ZOHO, Integration
from webhooks.services.stats import Pulse


class Pages(NamedTuple):
    """The endpoints of an integration; but for ``connect`` they take a ``location_id``."""

    connect: str
    manage: str
    disconnect: str


PAGES: Final[Mapping[str, Pages]] = {
    WEBHOOKS.name: Pages("integrations.connect", "webhooks.index", "integrations.disconnect"),
    ZAPIER.name: Pages("zapier.connect", "zapier.show", "zapier.disconnect"),
    ZOHO.name: Pages("zoho.connect", "zoho.show", "zoho.disconnect"),
}


class Card(NamedTuple):
    """A location that is connected to an integration: “Office & Webhooks”."""

    location: Location
    integration: Integration
    pages: Pages

    @property
    def key(self) -> tuple[int, str]:
        """What statistics know it by."""
        return self.location.id, self.integration.name

    @property
    def title(self) -> str:
        return f"{self.location.name} & {self.integration.title}"


def active_cards(locations: Sequence[Location], connected: Mapping[int, Sequence[Integration]]) -> list[Card]:
    """Make the cards of what is connected, location by location."""
    return [
        Card(location, one, PAGES[one.name])
        for location in locations
        for one in connected.get(location.id, ())
        if one.name in PAGES
    ]


def available_cards(locations: Sequence[Location], active: Sequence[Card]) -> list[tuple[Integration, Pages]]:
    """List the integrations that a location is left for; without locations all."""
    taken = {card.key for card in active}
    return [
        (one, PAGES[one.name])
        for one in INTEGRATIONS.values()
        if one.name in PAGES
        and (not locations or any((location.id, one.name) not in taken for location in locations))
    ]


def unconnected(integration: Integration) -> dict[int, str]:
    """Return the locations that are not connected to an integration: {id: name}, by name."""
    connected = services().integrations.connected()
    return {
        location.id: location.name
        for location in services().locations.all()
        if integration not in connected.get(location.id, ())
    }


def connections_of(
    location: Location, pulses: Mapping[tuple[int, str], Pulse]
) -> list[tuple[Integration, Pages, int | None]]:
    """List the integrations with how many webhooks the location has there; None where it is not connected."""
    connected = services().integrations.connected().get(location.id, ())
    return [
        (one, PAGES[name], pulses.get((location.id, name), Pulse()).webhooks if one in connected else None)
        for name, one in INTEGRATIONS.items()
        if name in PAGES
    ]
