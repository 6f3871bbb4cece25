"""``GET /api/events``: events as receivers get them, as a sample and for programs that poll."""

from typing import Annotated, Any

from pydantic import Field

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES
from webhooks.services.container import services
from webhooks.services.event_log import EventFilter
from webhooks.services.parsing import one_of
from webhooks.web.api.keys import new_blueprint, place_of_key
from webhooks.web.api.operations import Listed, operation
from webhooks.web.api.shapes import ListQuery, words

blueprint = new_blueprint("events")


class Events:
    """The answer's shape: an array of what receivers get, which has fields of the phone system's own."""


class EventQuery(ListQuery, EventFilter):
    """Which events to list. ``thread_id`` is a whole call, ``location`` a name."""

    type: Annotated[str, one_of(EVENT_TYPES), words(EVENT_TYPES)] | None = Field(default=None, title="Event")
    status: Annotated[str, one_of(CALL_STATUSES), words(CALL_STATUSES)] | None = Field(
        default=None, title="Call status"
    )


@blueprint.get("/events")
@operation(query=EventQuery, answers={200: Events}, errors=(404,))
def index(wanted: EventQuery) -> Any:
    """List events as receivers get them, newest first. One whose recording is not ready comes later."""
    wanted = wanted.model_copy(update={"location": place_of_key(wanted.location)})
    page = services().event_log.page(wanted, wanted.before, wanted.limit)
    return Listed(page.bodies, page.older)
