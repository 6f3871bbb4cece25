"""The stream of a connection, message by message: what is told, and the list of channels at its beginning.

The list is a picture of one moment. What came before it is fed first, what came while it was told after it.
"""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from webhooks.pbx.live import Dialect, Events, Listing, Message, Translates
from webhooks.runtime.pbx_reader import Chunk

log = logging.getLogger(__name__)


class Keeps(Protocol):
    """What notes messages for a restart, as ``pbx_journal.Journal`` does."""

    def add(self, raw: bytes, at: datetime) -> None: ...
    def add_channels(self, channels: list[bytes], at: datetime) -> None: ...


_Told = TypeVar("_Told")


def careful(translate: Callable[[_Told, datetime], Events], told: _Told, at: datetime) -> Events:
    """Translate. Returns no events where the translator fails: no other message is concerned."""
    try:
        return translate(told, at)
    except Exception:
        log.exception("message of a phone system not understood: internal error")
        return []


class Stream:
    """Reads chunks of one connection after the other."""

    def __init__(
        self, dialect: Dialect, translator: Translates, journal: Keeps, complain: Callable[[str], None]
    ) -> None:
        self._dialect, self._translator = dialect, translator
        self._journal, self._complain = journal, complain
        self.unknown: Counter[str] = Counter()  # words that no table here has
        self._link = 0
        self._list: list[bytes] | None = None
        self._meanwhile: list[tuple[bytes, datetime]] = []

    def take(self, chunk: Chunk) -> Events:
        """Take a chunk. Returns the events that came of it."""
        events: Events = []
        if chunk.link != self._link:
            events += self._end_list(None, chunk.at)
            self._link = chunk.link
            self._translator.cut()
        for raw in chunk.messages:
            events += self._message(raw, chunk.at)
        return events

    def _message(self, raw: bytes, at: datetime) -> Events:
        listing = self._dialect.listing(raw)
        if listing is not None:
            return self._listing(listing, at)
        event = self._dialect.event(raw)
        if event is None:
            return []
        if self._list is not None:
            self._meanwhile.append((event, at))
            return []
        return self._feed(event, at)

    def _listing(self, listing: Listing, at: datetime) -> Events:
        if listing.begins:
            self._list = []
        if self._list is not None:
            self._list += listing.channels
        if listing.refused:
            self._complain(self._dialect.no_list)
        return self._end_list(self._list, at) if listing.ends else []

    def _end_list(self, channels: list[bytes] | None, at: datetime) -> Events:
        """Resynchronise, unless the list broke off; then feed what waited for it."""
        events: Events = []
        if channels is not None:
            self._journal.add_channels(channels, at)
            listed: list[Message] = list(map(self._dialect.decode, channels))
            events += careful(self._translator.resync, listed, at)
        waiting, self._meanwhile, self._list = self._meanwhile, [], None
        for raw, came_at in waiting:
            events += self._feed(raw, came_at)
        return events

    def _feed(self, raw: bytes, at: datetime) -> Events:
        self._journal.add(raw, at)
        message = self._dialect.decode(raw)
        self.unknown.update(self._dialect.unknown(message))
        return careful(self._translator.feed, message, at)
