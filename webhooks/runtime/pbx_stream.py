"""The stream of a connection, message by message: what is told, and the list of channels at its beginning.

The list is a picture of one moment. What came before it is fed first, what came while it was told after it.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol, TypeVar

from webhooks.pbx.ami import Message, decode, field
from webhooks.runtime.pbx_reader import LIST_ID, Chunk

Events = list[dict[str, object]]

log = logging.getLogger(__name__)


class Translates(Protocol):
    """What turns messages into events, such as ``webhooks.pbx.asterisk.Translator``."""

    def cut(self) -> None: ...
    def feed(self, message: Message, at: datetime) -> Events: ...
    def resync(self, channels: list[Message], at: datetime) -> Events: ...
    def tick(self, at: datetime) -> Events: ...
    def lost(self, at: datetime) -> Events: ...


class Keeps(Protocol):
    """What notes messages for a restart, as ``pbx_journal.Journal`` does."""

    def add(self, raw: bytes, at: datetime) -> None: ...
    def add_channels(self, channels: list[bytes], at: datetime) -> None: ...


_Told = TypeVar("_Told")
_LIST_ID: Final = LIST_ID.encode()

NO_LIST: Final = (
    "Calls that begin or end while there is no connection cannot be found: the user may not list channels. "
    "Give it write = reporting."
)


def careful(translate: Callable[[_Told, datetime], Events], told: _Told, at: datetime) -> Events:
    """Translate. Returns no events where the translator fails: no other message is concerned."""
    try:
        return translate(told, at)
    except Exception:
        log.exception("message of a phone system not understood: internal error")
        return []


class Stream:
    """Reads chunks of one connection after the other."""

    def __init__(self, translator: Translates, journal: Keeps, complain: Callable[[str], None]) -> None:
        self._translator, self._journal, self._complain = translator, journal, complain
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
        if _LIST_ID in raw:
            message = decode(raw)
            if field(message, "ActionID") == LIST_ID:  # else it stands in a name
                return self._listing(raw, message, at)
        if not raw.startswith(b"Event: "):
            return []
        if self._list is not None:
            self._meanwhile.append((raw, at))
            return []
        return self._feed(raw, at)

    def _listing(self, raw: bytes, message: Message, at: datetime) -> Events:
        name = field(message, "Event")
        if name == "CoreShowChannel" and self._list is not None:
            self._list.append(raw)
        elif name == "CoreShowChannelsComplete":
            return self._end_list(self._list, at)
        elif field(message, "Response") == "Success":
            self._list = []
        elif field(message, "Response") == "Error":
            self._complain(NO_LIST)
        return []

    def _end_list(self, channels: list[bytes] | None, at: datetime) -> Events:
        """Resynchronise, unless the list broke off; then feed what waited for it."""
        events: Events = []
        if channels is not None:
            self._journal.add_channels(channels, at)
            listed: list[Message] = list(map(decode, channels))
            events += careful(self._translator.resync, listed, at)
        waiting, self._meanwhile, self._list = self._meanwhile, [], None
        for raw, came_at in waiting:
            events += self._feed(raw, came_at)
        return events

    def _feed(self, raw: bytes, at: datetime) -> Events:
        self._journal.add(raw, at)
        return careful(self._translator.feed, decode(raw), at)
