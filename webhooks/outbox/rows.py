"""A delivery's row in its two phases: open, as a claim sees it; claimed, as an attempt needs it.

Times are ms since 1970. ``tries`` count since the delivery was opened, ``attempts`` all that were ever made.
"""

from typing import Final, NamedTuple

HOLD_MS: Final = 30_000  # a message that keeps failing holds back its call for so long
LEASE_MS: Final = 30_000  # the backstop for a lost machine; a dead process is found by its lock


class OpenRow(NamedTuple):
    """A row that is pending or held. ``head_id`` is its call's first open row."""

    id: int
    event_id: int
    thread_key: str
    created_ms: int
    first_try_ms: int | None
    claims: int
    tries: int
    attempts: int
    state: str
    due_ms: int
    owner: str | None
    head_id: int = 0


class ClaimedRow(NamedTuple):
    """A row that is to be sent. ``media_id`` is the recording that a link in its body is to lead to.

    ``is_test``: its event is a test, sent once.
    """

    id: int
    thread_key: str
    first_try_ms: int
    tries: int
    attempts: int
    message_id: str
    body: str
    media_id: str | None
    is_test: bool = False
