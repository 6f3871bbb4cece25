"""Recordings that are kept: what became of them, and links to them. Pages, API and commands call here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from webhooks.db.models import Event, Media
from webhooks.db.store import Store
from webhooks.errors import NotFound
from webhooks.keyring import Keyring
from webhooks.media.signed_links import Links
from webhooks.media.storage import ID, Folder
from webhooks.payload import with_link
from webhooks.services.lookup import row_or_404
from webhooks.settings import Settings

GONE = "The recording is not there any more: it was purged or erased."


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A recording as pages show it.

    ``state`` is waiting (it is being converted, its deliveries are pending), ready, failed or erased;
    ``sentence`` says why for the last two, and what is missing of one that is ready, else None. ``size`` in
    bytes; ``seconds`` is what it says it has until it is ready, ``channels`` are 1, or 2 where each party has
    a side.
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
    """A file that may be handed out. ``relative`` is its path below the media's ``mp3`` folder."""

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

    # --- what is there ---

    def latest(self, count: int, *, state: str | None = None) -> Sequence[RecordingInfo]:
        """The newest recordings."""
        query = sa.select(Media).order_by(Media.event_id.desc()).limit(count)
        if state is not None:
            query = query.where(Media.state == state)
        with self._store.read() as session:
            return [_shown(row) for row in session.scalars(query)]

    def of_events(self, event_ids: Sequence[int]) -> dict[int, RecordingInfo]:
        """The recordings of events, by the events' ids; those without one are not in the answer."""
        if not event_ids:
            return {}
        with self._store.read() as session:
            rows = session.scalars(sa.select(Media).where(Media.event_id.in_(event_ids)))
            return {row.event_id: _shown(row) for row in rows}

    def of_event(self, event_id: int) -> RecordingInfo | None:
        """The recording of an event, None if we keep none for it."""
        return self.of_events([event_id]).get(event_id)

    def shown(self, media_id: str) -> RecordingInfo:
        """One recording."""
        with self._store.read() as session:
            return _shown(row_or_404(session.get(Media, media_id), f"recording {media_id}"))

    def payload(self, event: Event) -> str:
        """The JSON that a receiver would get now: the event's body, with a fresh link where there is one."""
        found = self.of_event(event.id)
        ready = found is not None and found.state == "ready"
        return with_link(event.body, self._links.link(found.id)) if found and ready else event.body

    # --- links ---

    def fresh_link(self, media_id: str) -> str:
        """A link to a recording that is ready, signed now; it lives as long as one that is sent.

        Raises:
            NotFound: unknown, erased or not ready; the sentence says which.
        """
        found = self.shown(media_id)
        if found.state == "waiting":
            raise NotFound("The recording is still being converted; it can be heard in a moment.")
        if found.state != "ready":
            raise NotFound(found.sentence or GONE)
        return self._links.link(media_id)

    def open(self, media_id: str, expires: str, signature: str) -> Download:
        """What a link leads to.

        Raises:
            LinkForbidden, LinkExpired: as ``Links.check``. NotFound: it was right, but there is nothing.
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
