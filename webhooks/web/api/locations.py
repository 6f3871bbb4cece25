"""``/api/locations``: the PBXs."""

from typing import Literal

from pydantic import Field

from webhooks.db.models import Location
from webhooks.services.container import services
from webhooks.services.parsing import Input, Name, Named
from webhooks.web.api.keys import new_blueprint
from webhooks.web.api.operations import Listed, check_unchanged, operation
from webhooks.web.api.shapes import ListQuery, Shown, Time

blueprint = new_blueprint("locations")


class LocationChanges(Input):
    """Changes of a location: only what is given counts. A paused one refuses its events with 403."""

    name: Name = Field(default="", title="Name")
    state: Literal["active", "paused"] = Field(default="active", title="State")


class LocationShown(Shown):
    """A location. ``connected_at``: since when it is an active integration, null if it is none."""

    id: int
    name: str
    state: Literal["active", "paused"]
    created_at: Time
    connected_at: Time | None


class LocationMade(LocationShown):
    """A location as it was made; ``token`` is not shown again."""

    token: str


@blueprint.get("/locations")
@operation(query=ListQuery, answers={200: list[LocationShown]})
def index(wanted: ListQuery) -> Listed:
    """List the locations, newest first."""
    rows, older = services().locations.page(wanted.before, wanted.limit)
    return Listed([_shown(row) for row in rows], older)


@blueprint.post("/locations")
@operation(body=Named, answers={201: LocationMade}, errors=(409,))
def add(given: Named) -> LocationMade:
    """Add a location. Its token is in this answer alone."""
    location, token = services().locations.add(given.name)
    return LocationMade(**_shown(location).model_dump(mode="python"), token=token)


@blueprint.patch("/locations/<int:location_id>")
@operation(body=LocationChanges, answers={200: LocationShown}, errors=(404, 409, 412), conditional=True)
def edit(location_id: int, given: LocationChanges) -> LocationShown:
    """Rename a location, pause it or resume it: what is left out stays."""
    changes = {name: getattr(given, name) for name in given.model_fields_set}
    changed = services().locations.change(
        location_id, changes.get("name"), changes.get("state"), lambda row: check_unchanged(_shown(row))
    )
    return _shown(changed)


def _shown(location: Location) -> LocationShown:
    return LocationShown.model_validate(
        {name: getattr(location, name) for name in LocationShown.model_fields}
    )
