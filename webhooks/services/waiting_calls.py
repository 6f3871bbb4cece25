"""Calls whose records come one by one: kept until all are there, then decided (``webhooks/pbx/merging.py``).

Housekeeping decides. Several machines may do so on one PostgreSQL: who claims a call decides it.
"""

import json
import logging
import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import CallView, Event
from webhooks.db.store import Store, now_ms
from webhooks.errors import LocationPaused, Unauthorised, Unavailable
from webhooks.events.intake import Intake
from webhooks.events.refusals import store_all_but_refused
from webhooks.events.schema import IncomingEvent, parse_json, thread_key
from webhooks.pbx.finished import Event as Fields
from webhooks.pbx.merging import merge

_WINDOW_MS: Final = 2_000  # from a call's last record until it is decided
_CLAIM_MS: Final = 10_000  # after which a call is decided anew: who claimed it was killed
_PUT_OFF_MS: Final = 60_000  # for a call that could not be stored
_CALLS: Final = 200  # decided in one round

log = logging.getLogger(__name__)


class WaitingCalls:
    """The records that wait, by location and call. Raises Unavailable as the Store does."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store, self._intake = store, intake

    def told(self, location_id: int, thread: str) -> set[tuple[str, str]]:
        """Read which events of a call were stored: (type, status)."""
        query = sa.select(Event.type, Event.subtype).where(
            Event.thread_key == thread_key(thread), Event.location_id == location_id, Event.subtype != ""
        )
        with self._store.read() as session:
            return {(type_, status) for type_, status in session.execute(query)}

    def keep(self, location_id: int, views: Sequence[tuple[str, Fields]]) -> None:
        """Keep what records tell, each with its call's ``thread_key``, until their calls are decided."""
        due_at = now_ms() + _WINDOW_MS
        with self._store.write() as session:
            session.add_all(
                CallView(location_id=location_id, thread_key=key, due_at=due_at, body=json.dumps(view))
                for key, view in views
            )

    def settle(self) -> int:
        """Decide the calls whose last record came a while ago. Returns how many."""
        if not self._store.finds("SELECT 1 FROM call_view WHERE due_at <= :now LIMIT 1", now=now_ms()):
            return 0
        last = sa.func.max(CallView.due_at)
        query = (
            sa.select(CallView.location_id, CallView.thread_key)
            .group_by(CallView.location_id, CallView.thread_key)
            .having(last <= now_ms())
            .order_by(last)
            .limit(_CALLS)
        )
        with self._store.read() as session:
            calls = [(location_id, thread) for location_id, thread in session.execute(query)]
        return sum(self._settle(location_id, thread) for location_id, thread in calls)

    def _settle(self, location_id: int, thread: str) -> bool:
        """Decide a call. Returns False where another process has claimed it, or a record came meanwhile."""
        views = self._claim(location_id, thread)
        if not views:
            return False
        these = CallView.id.in_(views)  # by their numbers: a record that comes now stays, for the next round
        try:
            self._decide(location_id, thread, [json.loads(body) for body in views.values()])
        except Unavailable as error:  # of this call alone, or else the next statement fails too
            log.warning("call put off", extra={"location": location_id, "reason": error})
            with self._store.write() as session:
                session.execute(sa.update(CallView).where(these).values(due_at=now_ms() + _PUT_OFF_MS))
            return False
        except (LocationPaused, Unauthorised) as error:
            log.warning("call lost", extra={"location": location_id, "reason": error})
        except Exception:  # one call's failure must not hold up the others
            log.exception("call lost: internal error", extra={"location": location_id})
        with self._store.write() as session:
            session.execute(sa.delete(CallView).where(these))
        return True

    def _claim(self, location_id: int, thread: str) -> dict[int, str]:
        """Move a call's due time ahead, so that no other process decides it. Returns its views by number.

        On PostgreSQL the second of two waits for the first, and finds nothing due then.
        """
        now = now_ms()
        later = orm.aliased(CallView)
        still_coming = (later.location_id == location_id, later.thread_key == thread, later.due_at > now)
        claim = (
            sa.update(CallView)
            .where(
                CallView.location_id == location_id,
                CallView.thread_key == thread,
                CallView.due_at <= now,
                ~sa.select(later.id).where(*still_coming).exists(),
            )
            .values(due_at=now + _CLAIM_MS)
            .returning(CallView.id, CallView.body)
            .execution_options(synchronize_session=False)
        )
        with self._store.write() as session:
            return {id_: body for id_, body in session.execute(claim)}

    def _decide(self, location_id: int, thread: str, views: list[Fields]) -> None:
        events = merge(views, self.told(location_id, thread))
        if events:
            made = as_events(events, self._intake.namespace_of(location_id))
            for _ in store_all_but_refused(self._intake, location_id, made):
                pass


def as_events(told: Sequence[dict[str, Any]], namespace: uuid.UUID) -> list[IncomingEvent]:
    """Make events of their fields. Raises InvalidEvent."""
    return parse_json(json.dumps(list(told)).encode(), namespace).events if told else []
