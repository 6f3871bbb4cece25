"""Events that nobody waits for: what the database refuses is set aside, the rest is stored."""

import logging
from collections.abc import Iterator

from webhooks.errors import RowRefused
from webhooks.events.intake import Intake
from webhooks.events.schema import IncomingEvent
from webhooks.events.storage import Accepted

log = logging.getLogger(__name__)


def store_all_but_refused(
    intake: Intake, location_id: int, events: list[IncomingEvent]
) -> Iterator[list[Accepted]]:
    """Store events together, or one by one where the database refuses one of them.

    A refused event is logged and set aside: it would be refused again, and the others are not concerned.

    Yields:
        What was stored, after each commit.

    Raises:
        Unavailable, Unauthorised: as the intake does. The same events may be stored again.
    """
    if not events:
        return
    try:
        yield intake.submit(location_id, events)
    except RowRefused as error:
        if len(events) == 1:
            log.error("event set aside", extra={"event": events[0].id, "reason": error})
            return
        for event in events:
            yield from store_all_but_refused(intake, location_id, [event])
