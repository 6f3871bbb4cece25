"""Recordings: their states, and links to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from webhooks.db.models import Event, Media
from webhooks.db.store import Store
from webhooks.errors import NotFound
from webhooks.keyring import Keyring
from webhooks.media.payload import with_link
from webhooks.media.signed_links import Links
from webhooks.media.storage import ID, Folder
from webhooks.services.lookup import row_or_404
from webhooks.settings import Settings

GONE = "The recording is not there any more: it was purged or erased."


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A recording as pages show it.

    ``state`` is waiting (for its conversion, and its deliveries with it), ready, failed or erased.
    ``sentence`` says why it failed or was erased, or what is missing of one that is ready, else it is None.
    ``size`` is in bytes. ``seconds`` is what the file states until it is ready. ``channels`` is 1, or 2 where
    each party has a side.
    """

    id: str
    event_id: int
    state: str
    sentence: str | None
    filename: str
    size: int
    seconds: float | None
    channels: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a link leads to. ``relative`` is its path below the media's ``mp3`` folder."""

    media_id: str
    path: Path
    relative: str
    filename: str
    size: int
    made_at: datetime


class Recordings:
    """Recordings and links to them. Raises NotFound for an unknown id, Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._folder = Folder(settings.data)
        self._links = Links(Keyring(settings), settings.base_url, settings.media_link_ttl)

    def latest(self, count: int, *, state: str | None = None) -> Sequence[RecordingInfo]:
        """Read the newest recordings."""
        query = sa.select(Media).order_by(Media.event_id.desc()).limit(count)
        if state is not None:
            query = query.where(Media.state == state)
        with self._store.read() as session:
            return [_shown(row) for row in session.scalars(query)]

    def of_events(self, event_ids: Sequence[int]) -> dict[int, RecordingInfo]:
        """Read the recordings of events, by the events' ids. Events without a recording are left out."""
        if not event_ids:
            return {}
        with self._store.read() as session:
            rows = session.scalars(sa.select(Media).where(Media.event_id.in_(event_ids)))
            return {row.event_id: _shown(row) for row in rows}

    def of_event(self, event_id: int) -> RecordingInfo | None:
        """Read the recording of an event, None where none is kept for it."""
        return self.of_events([event_id]).get(event_id)

    def shown(self, media_id: str) -> RecordingInfo:
        """Read a recording."""
        with self._store.read() as session:
            return _shown(row_or_404(session.get(Media, media_id), f"recording {media_id}"))

    def payload(self, event: Event) -> str:
        """Make the JSON that a receiver would get now, with a fresh link where the recording is ready."""
        return self._payload(event, self.of_event(event.id))

    def _payload(self, event: Event, recording: RecordingInfo | None) -> str:
        if recording is None or recording.state != "ready":
            return event.body
        return with_link(event.body, self._links.link(recording.id))

    def payloads(self, events: Sequence[Event]) -> list[str]:
        """Make the JSON of each event, as ``payload``."""
        known = self.of_events([event.id for event in events])
        return [self._payload(event, known.get(event.id)) for event in events]

    def fresh_link(self, media_id: str) -> str:
        """Make a link to a recording that is ready; it lives as long as one that is sent.

        Raises:
            NotFound: unknown, erased or not ready; the sentence says which.
        """
        recording = self.shown(media_id)
        if recording.state == "waiting":
            raise NotFound("The recording is still being converted; it can be heard in a moment.")
        if recording.state != "ready":
            raise NotFound(recording.sentence or GONE)
        return self._links.link(media_id)

    def open(self, media_id: str, expires: str, signature: str) -> Download:
        """Find the file that a link leads to.

        Raises:
            LinkForbidden, LinkExpired: as ``Links.check``. NotFound: the link is right, but the file is gone.
        """
        self._links.check(media_id, expires, signature)
        with self._store.read() as session:
            row = session.get(Media, media_id) if ID.fullmatch(media_id) else None
        path = self._folder.final(media_id)
        if row is None or row.state != "ready" or row.finished_at is None or not path.is_file():
            raise NotFound(GONE)
        return Download(
            media_id, path, self._folder.relative(media_id), row.filename, row.size, row.finished_at
        )


def _shown(row: Media) -> RecordingInfo:
    seconds = None if row.milliseconds is None else row.milliseconds / 1000
    return RecordingInfo(
        row.id, row.event_id, row.state, row.error, row.filename, row.size, seconds, row.channels,
        row.created_at,
    )  # fmt: skip
