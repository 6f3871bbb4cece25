"""What every way of sending shares: a message, what came of it, and the sender that makes one attempt."""

import logging
import time
from dataclasses import dataclass
from typing import Final, Protocol

from webhooks.db.store import now_ms
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import message_of

_TRACE_S: Final = 60.0  # an internal error of one kind is logged with its traceback at most so often

log = logging.getLogger(__name__)
_traced_s: dict[type[Exception], float] = {}


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered: the event's text and its id on the wire. ``number``: which attempt, from 1."""

    delivery_id: int
    number: int
    message_id: str
    body: str


@dataclass(slots=True)
class Outcome:
    """What came of an attempt. ``started_ms`` is since 1970.

    ``http_status`` is None where no answer came; ``error`` is None on success.
    """

    delivery_id: int
    number: int
    started_ms: int
    duration_s: float = 0.0
    http_status: int | None = None
    error: str | None = None
    broken: bool = False  # a timeout or connection error: counts towards the circuit breaker
    interrupted: bool = False  # aborted by the appliance's stop: the receiver is not to blame
    retry_after_s: float | None = None
    request_headers: str | None = None
    response_headers: str | None = None
    response_body: str | None = None
    final: bool = False  # a failure that no further attempt would mend
    expired: bool = False  # it was not sent, for it is too late to: no failure of the receiver's
    disable: str | None = None  # why the webhook is to be disabled: its deliveries are held from now on
    unlogged: bool = False  # the database refuses its row among the attempts

    @property
    def delivered(self) -> bool:
        return self.error is None


class Sender(Protocol):
    """A way of sending: by HTTP to a webhook's URL, as mail, to another service. Threads may share it."""

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        """Make one attempt. Returns its outcome, also of a failure: none is raised."""
        ...

    def close(self) -> None:
        """Close the connections that it keeps."""
        ...


class UnusableSender:
    """Stands in for a sender that cannot be made: each of its attempts fails, saying why."""

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        return Outcome(message.delivery_id, message.number, now_ms(), error=self._why)

    def close(self) -> None:
        """Do nothing: nothing is open."""


def internal_error(error: Exception) -> str:
    """A sentence about an error that should not happen. Its traceback goes to the log, now and then."""
    now_s = time.monotonic()
    if now_s - _traced_s.get(type(error), -_TRACE_S) >= _TRACE_S:
        _traced_s[type(error)] = now_s
        log.error("internal error in an attempt", exc_info=error)
    return (
        "An internal error of the appliance ended the attempt "
        f"({type(error).__name__}: {message_of(error)}). Its log has the details."
    )
