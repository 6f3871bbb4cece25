"""The stream of a connection, message by message: what is told, and the list of channels at its beginning.

The list is a picture of one moment. What came before it is fed first, what came while it was told after it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from webhooks.pbx.ami import Framer, Message, decode, field
from webhooks.pbx.asterisk.wanted import is_wanted
from webhooks.runtime.pbx_reader import LIST_ID, Chunk

Events = list[dict[str, object]]


class Translates(Protocol):
    """What turns messages into events, such as ``webhooks.pbx.asterisk.Translator``."""

    def cut(self) -> None: ...
    def feed(self, message: Message, at: datetime) -> Events: ...
    def resync(self, channels: list[Message], at: datetime) -> Events: ...
    def tick(self, at: datetime) -> Events: ...
    def lost(self, at: datetime) -> Events: ...


class Keeps(Protocol):
    """What notes messages for a restart, as ``pbx_journal.Journal`` does."""

    def add(self, message: Message, at: datetime) -> None: ...
    def add_channels(self, channels: list[Message], at: datetime) -> None: ...


NO_LIST: Final = (
    "Calls that begin or end while there is no connection cannot be found: the user may not list channels. "
    "Give it write = reporting."
)


class Stream:
    """Reads chunks of one connection after the other."""

    def __init__(self, translator: Translates, journal: Keeps, complain: Callable[[str], None]) -> None:
        self._translator, self._journal, self._complain = translator, journal, complain
        self._link = 0
        self._framer = Framer()
        self._list: list[Message] | None = None
        self._meanwhile: list[tuple[Message, datetime]] = []

    def take(self, chunk: Chunk) -> Events:
        """Take a chunk. Returns the events that came of it.

        Raises:
            PbxProblem: a message without end.
        """
        events: Events = []
        if chunk.link != self._link:
            events += self._end_list(None, chunk.at)
            self._link, self._framer = chunk.link, Framer()
            self._translator.cut()
        for raw in filter(is_wanted, self._framer.feed(chunk.data)):
            events += self._message(raw, chunk.at)
        return events

    def _message(self, raw: bytes, at: datetime) -> Events:
        message = decode(raw)
        name = field(message, "Event")
        if field(message, "ActionID") == LIST_ID:
            return self._listing(name, message, at)
        if not name:
            return []
        if self._list is not None:
            self._meanwhile.append((message, at))
            return []
        return self._feed(message, at)

    def _listing(self, name: str, message: Message, at: datetime) -> Events:
        if name == "CoreShowChannel" and self._list is not None:
            self._list.append(message)
        elif name == "CoreShowChannelsComplete":
            return self._end_list(self._list, at)
        elif field(message, "Response") == "Success":
            self._list = []
        elif field(message, "Response") == "Error":
            self._complain(NO_LIST)
        return []

    def _end_list(self, channels: list[Message] | None, at: datetime) -> Events:
        """Resynchronise, unless the list broke off; then feed what waited for it."""
        events: Events = []
        if channels is not None:
            self._journal.add_channels(channels, at)
            events += self._translator.resync(channels, at)
        waiting, self._meanwhile, self._list = self._meanwhile, [], None
        for message, came_at in waiting:
            events += self._feed(message, came_at)
        return events

    def _feed(self, message: Message, at: datetime) -> Events:
        self._journal.add(message, at)
        return self._translator.feed(message, at)
