"""Messages of one Asterisk in, events out. See docs/reference.md for what is read out of which message.

Facts go into the calls in any order; what became true comes out. Only one channel's messages come in order.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from webhooks.pbx.asterisk.book import Book, OpenCall
from webhooks.pbx.asterisk.dials import Dials
from webhooks.pbx.asterisk.facts import Facts
from webhooks.pbx.asterisk.gap import Gap
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.asterisk.options import AsteriskOptions
from webhooks.pbx.asterisk.parties import Parties
from webhooks.pbx.asterisk.transfers import Transfers
from webhooks.pbx.calls import Direction

_LIMIT: Final = timedelta(hours=12)

Event = dict[str, object]
Fields = Sequence[tuple[str, str]]


class Translator:
    """The calls of one Asterisk. It has no clock: ``at`` is when a message came, in UTC."""

    def __init__(self, options: AsteriskOptions) -> None:
        self._options = options
        self._book = Book(options.source)
        self._parties = Parties(options)
        self._dials = Dials(self._book, self._parties)
        self._gap = Gap(self._book, self._parties, self._dials)
        self._listing: list[Fields] = []
        parts = (Facts(self._book, self._parties), self._dials, Transfers(self._book, self._dials))
        self._handlers = {name: handler for part in parts for name, handler in part.handlers.items()}

    def feed(self, message: Fields, at: datetime) -> list[Event]:
        """Take one message and return the events that it makes due, as the hook takes them.

        The answers to CoreShowChannels may be fed too: with the last of them, ``resync`` is done.
        """
        read, self._book.now_at = Message(message), at
        name = read["Event"]
        if name == "CoreShowChannel":
            self._listing.append(message)
            return []
        if name == "CoreShowChannelsComplete":
            listing, self._listing = self._listing, []
            return self.resync(listing, at)
        if name == "FullyBooted":
            self.cut()
        handler = self._handlers.get(name)
        if handler is None:
            return []
        moment = read.sent_at(at)
        handler(read, moment)
        return self._news(moment)

    def cut(self) -> None:
        """Note that the connection was made anew: what the next resync does not list is gone.

        FullyBooted, which follows each log-in, does it by itself.
        """
        self._book.connection += 1
        self._listing = []

    def resync(self, channels: Sequence[Fields], at: datetime) -> list[Event]:
        """Compare with the channels that are (CoreShowChannel), and return events for what was missed.

        A call of which nothing is left is closed; an unknown one is taken up, without a ``ringing`` if it is
        answered. Both are marked ``reconstructed``. A channel heard of since the cut is there, listed or not.
        """
        self._book.now_at = at
        self._gap.close([Message(fields) for fields in channels], at)
        return self._news(at, reconstructed=True)

    def tick(self, at: datetime) -> list[Event]:
        """Close the calls that are open for more than 12 hours: nobody told us of their end."""
        return self._give_up([call for call in self._book.calls() if at - call.opened_at > _LIMIT], at)

    def lost(self, at: datetime) -> list[Event]:
        """Close all calls: the connection is gone for good."""
        return self._give_up(self._book.calls(), at)

    def parties_of(self, uid: str) -> Event | None:
        """Return ``thread_id`` and parties of the call that a Uniqueid or Linkedid is of, for its recording.

        None: it is not open, and closed more than two minutes ago.
        """
        call = self._book.call_of(uid)
        if call is None:
            return None
        called = call.party_called()
        return {
            "thread_id": str(call.thread_id), "to": called.number, "from": call.caller.number,
            "to_name": called.name, "from_name": call.caller.name,
        }  # fmt: skip

    def _news(self, at: datetime, *, reconstructed: bool = False) -> list[Event]:
        events: list[Event] = []
        touched, self._book.touched = dict.fromkeys(self._book.touched), []
        for open_call in sorted(touched, key=lambda open_call: open_call.serial, reverse=True):
            if open_call.is_over:
                self._conclude(open_call, at, reconstructed=reconstructed)
            call = open_call.call
            if call.direction is Direction.INTERNAL and not self._options.internal_calls:
                continue
            before, call.reconstructed = call.reconstructed, call.reconstructed or reconstructed
            events += call.news()
            call.reconstructed = before
        return events

    def _give_up(self, calls: list[OpenCall], at: datetime) -> list[Event]:
        self._book.now_at = at
        for open_call in calls:
            for channel in open_call.channels.values():
                channel.gone = True
            self._book.touched.append(open_call)
        return self._news(at, reconstructed=True)

    def _conclude(self, open_call: OpenCall, at: datetime, *, reconstructed: bool) -> None:
        """Close a call. One from inside that reached for nobody (voicemail, a feature code) stays untold."""
        call = open_call.call
        root = open_call.root
        spoke_up = call.legs or call.hint or call.refused_as
        if spoke_up or (self._parties.comes_from_outside(open_call) and not root.met_in_talk):
            self._parties.decide(open_call, None)
        call.close(at, reconstructed=reconstructed)
        self._book.close(open_call)
