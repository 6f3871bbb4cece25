"""What a phone system that we listen to has to bring: how it speaks, and what its messages become.

The process that holds the connections knows no system by name. It takes a ``Dialect``, of which
``webhooks/pbx/asterisk/dialect.py`` and ``webhooks/pbx/freeswitch/dialect.py`` are the two; the log-in is a
link of ``webhooks/outbound/``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from webhooks.pbx.site_numbers import SiteNumbers

Message = Sequence[tuple[str, str]]  # keys in the order of the wire, repeated ones kept
Events = list[dict[str, object]]


class Translates(Protocol):
    """Messages in, events out. It has no clock: ``at`` is when a message came, in UTC."""

    def cut(self) -> None: ...
    def feed(self, message: Message, at: datetime) -> Events: ...
    def resync(self, channels: Sequence[Message], at: datetime) -> Events: ...
    def tick(self, at: datetime) -> Events: ...
    def lost(self, at: datetime) -> Events: ...


class Framing(Protocol):
    """Cuts a stream into messages. Raises PbxProblem for one without end."""

    @property
    def rest(self) -> bytes: ...
    def feed(self, data: bytes) -> list[bytes]: ...


class Listing(NamedTuple):
    """A message of the answer to our question for the channels. ``refused``: we may not ask."""

    channels: Sequence[bytes] = ()
    begins: bool = False
    ends: bool = False
    refused: bool = False


class Marks(NamedTuple):
    """What a message says of channels: whose it is, which ones belong together, who begins or ends."""

    own: bytes = b""
    ids: Sequence[bytes] = ()
    begins: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Dialect:
    """How one kind of phone system speaks. All of it is pure.

    ``is_wanted`` is asked on the thread that reads, so it has to be quick. ``event`` gives the event that a
    message is, as it is kept; None where it is another message. ``no_list`` says what a refused list costs.
    ``unknown`` names the words of a message that no table here has.
    ``began_at`` reads off a recorded message when it was sent, given its milliseconds; None: it does not say.
    """

    name: str
    title: str
    framer: Callable[[], Framing]
    is_wanted: Callable[[bytes], bool]
    listing: Callable[[bytes], Listing | None]
    event: Callable[[bytes], bytes | None]
    decode: Callable[[bytes], list[tuple[str, str]]]
    marks: Callable[[bytes], Marks]
    options: type[SiteNumbers]
    translator: Callable[[Any], Translates]
    began_at: Callable[[float, Message], datetime | None]
    unknown: Callable[[Message], Sequence[str]]
    no_list: str
