"""``/api/refusals``: requests of phone systems that were refused."""

from pydantic import Field

from webhooks.services.container import services
from webhooks.web.api.keys import new_blueprint
from webhooks.web.api.operations import Listed, operation
from webhooks.web.api.shapes import ListQuery, Shown, Time

blueprint = new_blueprint("refusals")


class RefusalQuery(ListQuery):
    """Refusals of a location, by its name; left out: those without a token that a location has."""

    location: str | None = Field(default=None, title="Location")


class RefusalShown(Shown):
    """``count`` requests that were alike. ``request``: method and path. Tokens are hidden in all of it."""

    id: int
    at: Time
    request: str
    status: int
    reason: str
    caller: str
    body: str
    size: int
    count: int


@blueprint.get("/refusals")
@operation(query=RefusalQuery, answers={200: list[RefusalShown]}, errors=(404,))
def index(wanted: RefusalQuery) -> Listed:
    """List refused requests, newest first; the last 200 of a location are kept."""
    location = None if wanted.location is None else services().locations.by_name(wanted.location).id
    rows, older = services().refusals.page(location, wanted.before, wanted.limit)
    shown = [
        RefusalShown(id=row.id, at=row.at, request=row.door, status=row.http_status, reason=row.reason,
                     caller=row.caller, body=row.body, size=row.size, count=row.count)
        for row in rows
    ]  # fmt: skip
    return Listed(shown, older)
