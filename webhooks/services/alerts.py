"""Alerts: what is the matter now, what was, and who is told of it."""

import json
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import orm

from webhooks.catalogue import counted
from webhooks.db.meta import ALERTS_LOOKED_AT
from webhooks.db.models import ExpectedSilence, Location, Matter, Notice
from webhooks.db.store import Store, now_ms
from webhooks.errors import Conflict
from webhooks.services.alert_facts import read_facts
from webhooks.services.channels import Channel, Channels, in_use
from webhooks.services.lookup import newest, note, now, row_or_404, unless_deleted
from webhooks.services.matters import find, recovered, title_of
from webhooks.services.notices import Notices, queue
from webhooks.services.parsing import Input
from webhooks.settings import Settings

TOLD_AGAIN_AFTER: Final = timedelta(hours=1)
_CLOSED: Final = 50  # that a list shows
_POLL_S: Final = 0.2

log = logging.getLogger(__name__)


class SilenceInput(Input):
    """How long a location may be silent; None: as long as it likes."""

    hours: int | None = Field(default=None, ge=1, le=24 * 365, title="Silent for at most (hours)")


class Alerts:
    """Matters and their telling. Raises ReadFailed and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self.channels = Channels(settings, store)
        self.notices = Notices(settings, store, self.channels)

    # --- matters ---

    def open(self) -> Sequence[Matter]:
        """Read what is the matter now, the newest first."""
        query = sa.select(Matter).where(Matter.closed_at.is_(None)).order_by(Matter.id.desc())
        with self._store.read() as session:
            return session.scalars(query).all()

    def closed(self) -> Sequence[Matter]:
        """Read what was the matter, the newest first."""
        query = sa.select(Matter).where(Matter.closed_at.is_not(None)).order_by(Matter.id.desc())
        with self._store.read() as session:
            return session.scalars(query.limit(_CLOSED)).all()

    def page(
        self, before: int | None, count: int, *, is_open: bool | None
    ) -> tuple[Sequence[Matter], int | None]:
        """Read up to ``count`` matters below ``before``, newest first; also the ``before`` to go on with.

        ``is_open``: only those that are, or are not; None for both.
        """
        query = sa.select(Matter)
        if is_open is not None:
            query = query.where(Matter.closed_at.is_(None) if is_open else Matter.closed_at.is_not(None))
        with self._store.read() as session:
            return newest(session, query, Matter.id, before, count)

    def count_open(self) -> int:
        """Count what is the matter now."""
        with self._store.direct_read() as direct:
            [[number]] = direct.rows("SELECT count(*) FROM matter WHERE closed_at IS NULL")
            return int(number)

    def look(self, moment: datetime | None = None) -> None:
        """Look for matters: open new ones, close those that are over, queue messages about both.

        What is told stands in the rows, so a restart tells nothing twice.
        """
        moment = moment or now()
        with self._store.read() as session:
            facts = read_facts(session, self._settings, moment)
            found = {(one.kind, one.subject): one.text for one in find(facts)}
            if not _changes(_open_rows(session), found, in_use(self.channels.row(session)), moment):
                return
        with self._store.write() as session:
            # One looks at a time, on whichever machine: the others find the rows made.
            ALERTS_LOOKED_AT.get_locked(session.connection())
            ALERTS_LOOKED_AT.set(session.connection(), now_ms())
            channels = in_use(self.channels.row(session))
            rows = _open_rows(session)
            for (kind, subject), text in found.items():
                row = rows.pop((kind, subject), None) or _opened(session, kind, subject, moment)
                row.text = text
                if _is_to_be_told(row, channels, moment):
                    row.told, row.last_told_at = True, moment
                    self._tell(session, channels, row, text)
            for row in rows.values():
                row.closed_at = moment
                log.info("matter closed", extra={"kind": row.kind, "subject": row.subject})
                sentence = recovered(row.kind, row.subject, facts)
                if row.told and sentence is not None:
                    self._tell(session, channels, row, sentence)

    def forget_older_than(self, days: int) -> None:
        """Delete closed matters and settled messages past the retention."""
        before = now() - timedelta(days=days)
        with self._store.write(wait=None) as session:
            session.execute(sa.delete(Matter).where(Matter.closed_at < before))
            old = sa.delete(Notice).where(Notice.created_at < before, Notice.state != "pending")
            session.execute(old)

    # --- a location's silence ---

    def silence_hours(self, location_id: int) -> int | None:
        """Read how long a location may be silent."""
        with self._store.read() as session:
            row = session.get(ExpectedSilence, location_id)
            return row.hours if row else None

    def set_silence(self, location_id: int, given: SilenceInput) -> None:
        """Set how long a location may be silent, from now on."""
        with self._store.write() as session:
            location = row_or_404(
                unless_deleted(session.get(Location, location_id)), f"location {location_id}"
            )
            session.execute(sa.delete(ExpectedSilence).where(ExpectedSilence.location_id == location_id))
            if given.hours is None:
                note(session, location, "may be silent for any time")
                return
            session.add(ExpectedSilence(location_id=location_id, hours=given.hours, since_at=now()))
            note(session, location, f"an alert is sent after {counted(given.hours, 'hour')} without an event")

    # --- telling ---

    def test(self) -> list[int]:
        """Queue a test alert for each channel. Returns the messages' ids.

        Raises:
            Conflict: no channel is set.
        """
        with self._store.write() as session:
            channels = in_use(self.channels.row(session))
            if not channels:
                raise Conflict("Alerts go nowhere yet: set a mail server or a URL on the page Alerts.")
            text = "This is a test alert. If you read it, alerts reach you."
            fields = {"kind": "test", "state": "test", "subject": "appliance", "text": text}
            made = [self._queue(session, channel, "Test alert", fields, is_test=True) for channel in channels]
            session.flush()
            return [notice.id for notice in made]

    def wait(self, ids: Sequence[int], seconds: float) -> Sequence[Notice]:
        """Wait until messages are settled, so many seconds at most. Returns them as they are then."""
        until_s = time.monotonic() + seconds
        while True:
            notices = self.notices.of(ids)
            if all(one.state != "pending" for one in notices) or time.monotonic() > until_s:
                return notices
            time.sleep(_POLL_S)

    def _tell(self, session: orm.Session, channels: Sequence[Channel], row: Matter, text: str) -> None:
        is_over = row.closed_at is not None
        title = f"{'Over: ' if is_over else ''}{title_of(row.kind, row.subject)} ({row.subject})"
        fields = {
            "kind": row.kind,
            "state": "closed" if is_over else "open",
            "subject": row.subject,
            "text": text,
            "opened_at": row.opened_at.isoformat(),
            "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        }
        for channel in _ways(row, channels):
            self._queue(session, channel, title, fields)

    def _queue(
        self,
        session: orm.Session,
        channel: Channel,
        title: str,
        fields: dict[str, Any],
        *,
        is_test: bool = False,
    ) -> Notice:
        page = f"{self._settings.base_url}/alerts"
        if channel == "mail":
            opened = fields.get("opened_at")
            since = f"\n\nSince {self._local(opened)}." if opened else ""
            body = f"Spoke: {title}\n\n{fields['text']}{since}\n\n{page}\n"
        else:
            body = json.dumps({"type": "alert", **fields, "page": page}, ensure_ascii=False)
        return queue(session, channel, title, body, is_test=is_test)

    def _local(self, moment: str) -> str:
        zone = ZoneInfo(self._settings.tz) if self._settings.tz else None
        return f"{datetime.fromisoformat(moment).astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _opened(session: orm.Session, kind: str, subject: str, moment: datetime) -> Matter:
    """Open a matter, which knows when its kind and subject was last told."""
    latest = (
        sa.select(Matter.last_told_at)
        .where(Matter.kind == kind, Matter.subject == subject)
        .order_by(Matter.id.desc())
        .limit(1)
    )
    row = Matter(
        kind=kind, subject=subject, text="", opened_at=moment, told=False, last_told_at=session.scalar(latest)
    )
    session.add(row)
    log.warning("matter opened", extra={"kind": kind, "subject": subject})
    return row


def _open_rows(session: orm.Session) -> dict[tuple[str, str], Matter]:
    query = sa.select(Matter).where(Matter.closed_at.is_(None))
    return {(row.kind, row.subject): row for row in session.scalars(query)}


def _changes(
    rows: dict[tuple[str, str], Matter],
    found: dict[tuple[str, str], str],
    channels: Sequence[Channel],
    moment: datetime,
) -> bool:
    """Whether anything is to be written: most looks find what the last one found."""
    if {key: row.text for key, row in rows.items()} != found:
        return True
    return any(_is_to_be_told(row, channels, moment) for row in rows.values())


def _is_to_be_told(row: Matter, channels: Sequence[Channel], moment: datetime) -> bool:
    if row.told or not _ways(row, channels):
        return False
    return row.last_told_at is None or moment - row.last_told_at >= TOLD_AGAIN_AFTER


def _ways(row: Matter, channels: Sequence[Channel]) -> Sequence[Channel]:
    """The channels that tell of a matter: not the one by which alerts do not arrive."""
    return [channel for channel in channels if (row.kind, row.subject) != ("alerts_unsent", channel)]
