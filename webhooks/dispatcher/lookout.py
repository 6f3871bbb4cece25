"""The lookout: finds the lanes that have something due, by looks and by glances.

A look reads all lanes that are this worker's or nobody's, which takes longer the more there are. A glance
costs what is new: it reads the deliveries that were stored since. What becomes due otherwise, such as a lane
that another worker released, is found by the look that follows.
"""

import time
from typing import Final, NamedTuple

from webhooks.db import row_errors
from webhooks.db.commits import CommitWatch
from webhooks.db.store import Store
from webhooks.dispatcher.look_schedule import GAP_S, SHARE, LookSchedule
from webhooks.outbox import leases
from webhooks.outbox.leases import DueLane

_NEW_ROWS: Final = 2_000  # more of them are not read one by one


class Found(NamedTuple):
    """Lanes with something to send, now or later. ``whole``: no others that are nobody's have."""

    lanes: list[DueLane]
    whole: bool


class Lookout:
    """The dispatcher's thread alone uses it."""

    def __init__(self, store: Store, owner_id: str) -> None:
        self._store, self._owner_id = store, owner_id
        self._commits = CommitWatch(store)
        # PostgreSQL gives ids before a commit: a row may come to sight after one with a higher id.
        self._ids_ascend = store.sqlite
        self._last_id = 0
        self.schedule = LookSchedule() if self._ids_ascend else LookSchedule(GAP_S, SHARE)

    def look(self, now_s: float, busy: list[int]) -> Found:
        """Read all lanes but the ``busy`` ones, whose webhooks are given."""
        self.schedule.look_begins(now_s)
        processor_s = time.thread_time()  # not the clock: waiting for the interpreter costs nobody anything
        # Before the lanes are read, both: what comes in between is seen twice, not never.
        self._commits.changed()
        with self._store.direct_read() as direct:
            if self._ids_ascend:
                self._last_id = max(self._last_id, leases.last_delivery(direct))
            lanes = leases.due_lanes(direct, self._owner_id, busy)
        self.schedule.look_ended(time.thread_time() - processor_s)
        return Found(_not_refused(lanes), whole=True)

    def glance(self, now_s: float) -> Found | None:
        """Read what was stored since the last look or glance, if anything was committed."""
        self.schedule.glanced(now_s)
        if not self._commits.changed():
            return None
        self.schedule.outdate(now_s)
        if not self._ids_ascend or self.schedule.look_is_due(now_s):
            return None  # the look follows at once, and sees all of it
        with self._store.direct_read() as direct:
            last_id = leases.last_delivery(direct)
            if last_id <= self._last_id:
                return None
            if last_id > self._last_id + _NEW_ROWS:
                self.schedule.request()
                return None
            lanes = leases.lanes_of_new(direct, self._owner_id, self._last_id, last_id)
        self._last_id = last_id
        return Found(_not_refused(lanes), whole=False)


def _not_refused(lanes: list[DueLane]) -> list[DueLane]:
    left_alone = row_errors.left_alone("lane")
    return [lane for lane in lanes if lane.webhook_id not in left_alone] if left_alone else lanes
