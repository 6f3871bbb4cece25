"""What one transaction of the intake stores: the events of several requests.

An error of one request must not fail the others. So each is stored under a savepoint of its own, unless the
group is small and all of it is new, as nearly always: then it takes a statement for each table.
"""

import contextlib
import logging
from typing import Final

from webhooks.db import row_errors
from webhooks.db.raw import RawConnection
from webhooks.db.store import now_ms
from webhooks.errors import LocationPaused, NoCapacity, RowRefused, SpokeError, Unauthorised
from webhooks.events.new_events import MOST, Arrival, are_few, store_new
from webhooks.events.routing import RoutingTable, Subscription
from webhooks.events.schema import IncomingEvent
from webhooks.events.storage import Accepted, store, wanted_by
from webhooks.events.submission import Submission

_ROWS: Final = 1_000  # events and deliveries in one transaction, about
_ROWS_OF_A_LARGE_BATCH: Final = 300  # in one transaction; it makes more than ``_ROWS`` in all
_LARGE_BATCHES: Final = 2  # at a time: each has a web thread until it is done

Answers = list[list[Accepted] | SpokeError | None]

log = logging.getLogger(__name__)


def store_group(direct: RawConnection, routing: RoutingTable, group: list[Submission]) -> Answers:
    """Store what fits into one transaction. Returns an answer each; None for what needs another one."""
    if _stored_at_once(direct, routing, group):
        return [submission.stored for submission in group]
    return _one_by_one(direct, routing, group)


def _stored_at_once(direct: RawConnection, routing: RoutingTable, group: list[Submission]) -> bool:
    """Store a group of few events that are all new. Returns False, with nothing stored, for any other."""
    if sum(len(_rest(submission)) for submission in group) > MOST:
        return False
    try:
        arrivals = [arrival for submission in group for arrival in _arrivals(routing, submission)]
        if not are_few(arrivals):
            return False
        with direct.savepoint():
            stored = store_new(direct, arrivals, now_ms())
    except Exception as error:
        if not isinstance(error, SpokeError) and not row_errors.of_one_row(error):
            raise
        return False
    if stored is None:
        return False
    answers = iter(stored)
    for submission in group:
        submission.stored += [next(answers) for _ in _rest(submission)]
    return True


def _arrivals(routing: RoutingTable, submission: Submission) -> list[Arrival]:
    location_id, subscriptions = _location(routing, submission)
    return [
        Arrival(
            location_id, submission.origin, event, wanted_by(subscriptions, submission.only_webhook, event)
        )
        for event in _rest(submission)
    ]


def _rest(submission: Submission) -> list[IncomingEvent]:
    """The events that no earlier transaction stored."""
    return submission.events[len(submission.stored) :]


def _one_by_one(direct: RawConnection, routing: RoutingTable, group: list[Submission]) -> Answers:
    answers: Answers = []
    rows = large = 0
    for submission in group:
        if _is_large(routing, submission):
            room, large = _ROWS_OF_A_LARGE_BATCH, large + 1
        elif rows < _ROWS:
            room = _ROWS
        else:
            answers.append(None)
            continue
        # An error of one submission must not fail the others.
        direct.run("SAVEPOINT submission")
        before = len(submission.stored)
        try:
            if large > _LARGE_BATCHES and room < _ROWS:
                raise NoCapacity(
                    "Large batches are being stored; nothing was written of this one. Try again."
                )
            answers.append(_store(direct, routing, submission, room))
            rows += _rows(submission.stored[before:])
        except Exception as error:
            if not isinstance(error, SpokeError) and not row_errors.of_one_row(error):
                raise
            direct.run("ROLLBACK TO SAVEPOINT submission")
            refused = submission.events[len(submission.stored)].id
            del submission.stored[before:]
            if isinstance(error, SpokeError):
                answers.append(error)
            else:
                reason = row_errors.reason(error)
                log.error("event not stored", extra={"event": refused, "reason": reason})
                answers.append(RowRefused(f"It could not be stored: {reason}."))
        direct.run("RELEASE SAVEPOINT submission")
    return answers


def _store(
    direct: RawConnection, routing: RoutingTable, submission: Submission, room: int
) -> list[Accepted] | None:
    """Store events until ``room`` rows are made. Returns all answers of the submission once it has them."""
    location_id, subscriptions = _location(routing, submission)
    now = now_ms()
    for event in _rest(submission):
        if room <= 0:
            return None
        targets = wanted_by(subscriptions, submission.only_webhook, event)
        accepted = store(direct, location_id, submission.origin, event, targets, now)
        submission.stored.append(accepted)
        room -= _rows([accepted])
    return submission.stored


def _location(routing: RoutingTable, submission: Submission) -> tuple[int, list[Subscription]]:
    """Return the location that sent the events, and its webhooks.

    Raises:
        Unauthorised, LocationPaused: it went meanwhile.
    """
    if submission.location_id is None:
        sender = submission.sender
        submission.location_id = routing.location(sender) if isinstance(sender, bytes) else sender
    if submission.location_id not in routing.subscriptions:
        raise Unauthorised("The location was deleted.")
    return submission.location_id, routing.subscriptions[submission.location_id]


def _rows(stored: list[Accepted]) -> int:
    return sum(1 if accepted.duplicate else 1 + accepted.deliveries for accepted in stored)


def _is_large(routing: RoutingTable, submission: Submission) -> bool:
    """Whether it may make more rows than one transaction should have."""
    sender = submission.sender if submission.location_id is None else submission.location_id
    with contextlib.suppress(Unauthorised, LocationPaused):
        location_id = routing.location(sender) if isinstance(sender, bytes) else sender
        webhooks = len(routing.subscriptions.get(location_id, ()))
        return len(submission.events) > 1 and len(submission.events) * (1 + webhooks) > _ROWS
    return False
