"""Messages of one FreeSWITCH's event socket in, events out. docs/reference.md has what is read out of which.

Facts go into the calls in any order; what became true comes out. FreeSWITCH may tell of two channels in
either order, as it has several threads that tell.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from webhooks.pbx.freeswitch import media
from webhooks.pbx.freeswitch.book import Book, Event, OpenCall, is_told
from webhooks.pbx.freeswitch.facts import Facts
from webhooks.pbx.freeswitch.gap import Gap
from webhooks.pbx.freeswitch.message import Message
from webhooks.pbx.freeswitch.options import FreeswitchOptions
from webhooks.pbx.freeswitch.parties import Parties

_LIMIT: Final = timedelta(hours=12)
_STRAGGLING: Final = timedelta(seconds=5)  # how long the message of a channel may come after all others
_FILES: Final = 1_000  # of which it is remembered that they were told of
_VOICEMAIL: Final = "vm::maintenance"

Fields = Sequence[tuple[str, str]]


class Translator:
    """The calls of one FreeSWITCH. It has no clock: ``at`` is when a message came, in UTC."""

    def __init__(self, options: FreeswitchOptions) -> None:
        self._internal_calls = options.internal_calls
        self._book = Book(options.source)
        self._parties = Parties(options)
        self._facts = Facts(self._book, self._parties)
        self._gap = Gap(self._book, self._parties, self._facts)
        self._files: deque[object] = deque(maxlen=_FILES)  # ids of their events

    def feed(self, message: Fields, at: datetime) -> list[Event]:
        """Take one message and return the events that it makes due, as the hook takes them."""
        read, self._book.now_at = Message(message), at
        name = read["Event-Subclass"] if read["Event-Name"] == "CUSTOM" else read["Event-Name"]
        moment = read.sent_at(at)
        if name in ("RECORD_STOP", _VOICEMAIL):
            return self._media(name, read, moment)
        handler = self._facts.handlers.get(name)
        if handler is None:
            return []
        handler(read, moment)
        return self._news(moment)

    def cut(self) -> None:
        """Note that the connection was made anew: what the next resync does not list is gone."""
        self._book.connection += 1

    def resync(self, channels: Sequence[Fields], at: datetime) -> list[Event]:
        """Compare with the channels that are (rows of ``show channels``); return events for what was missed.

        A call of which nothing is left is closed; an unknown one is taken up, without a ``ringing`` if it is
        answered. Both are marked ``reconstructed``.
        """
        self._book.now_at = at
        self._gap.close([Message(fields) for fields in channels], at)
        return self._news(at, reconstructed=True)

    def tick(self, at: datetime) -> list[Event]:
        """Close what nobody ends: calls open for more than 12 hours, and those whose rest never shows."""
        calls = self._book.calls()
        quiet = [each for each in calls if each.is_quiet and at - each.heard_at > _STRAGGLING]
        self._end(quiet, at)
        events = self._news(at)
        return events + self._give_up(
            [each for each in self._book.calls() if at - each.opened_at > _LIMIT], at
        )

    def lost(self, at: datetime) -> list[Event]:
        """Close all calls: the connection is gone for good."""
        return self._give_up(self._book.calls(), at)

    def _media(self, name: str, message: Message, moment: datetime) -> list[Event]:
        event = media.voicemail(message) if name == _VOICEMAIL else media.recording(message)
        if event is None:
            return []
        closed = self._book.closed(message["Unique-ID"])
        if closed is not None:
            return self._new([media.of_call(event, closed)]) if closed.is_told_of else []
        channel = self._facts.take(message) if message["Unique-ID"] else None
        if channel is None:
            return self._new([media.alone(event, message)]) if name == _VOICEMAIL else []
        self._book.home(channel).media.append(event)
        return self._news(moment)

    def _new(self, events: list[Event]) -> list[Event]:
        """Leave out the files that were told of."""
        new = [event for event in events if event["id"] not in self._files]
        self._files += [event["id"] for event in new]
        return new

    def _news(self, at: datetime, *, reconstructed: bool = False) -> list[Event]:
        events: list[Event] = []
        touched, self._book.touched = dict.fromkeys(self._book.touched), []
        for open_call in sorted(touched, key=lambda each: each.serial, reverse=True):
            call = open_call.call
            if open_call.is_over:
                self._conclude(open_call, at, reconstructed=reconstructed)
            if not is_told(open_call, internal_calls=self._internal_calls):
                continue
            before, call.reconstructed = call.reconstructed, call.reconstructed or reconstructed
            news = call.news()
            call.reconstructed = before
            told, open_call.media = open_call.media, []
            closing = news[-1:] if call.closed_at else []
            events += news[: len(news) - len(closing)]
            for event in told:
                events += self._new([media.of_call(event, call)])
            events += closing
        return events

    def _end(self, calls: Sequence[OpenCall], at: datetime) -> None:
        self._book.now_at = at
        for open_call in calls:
            for channel in open_call.channels.values():
                channel.gone = True
            self._book.touched.append(open_call)

    def _give_up(self, calls: Sequence[OpenCall], at: datetime) -> list[Event]:
        self._end(calls, at)
        return self._news(at, reconstructed=True)

    def _conclude(self, open_call: OpenCall, at: datetime, *, reconstructed: bool) -> None:
        """Close a call. One from inside that reached for nobody (a mailbox, a feature code) stays untold."""
        call, root = open_call.call, open_call.root
        empty = not open_call.channels  # all of it went over to another call
        spoke_up = call.legs or call.hint or call.refused_as
        met_in_talk = root.adopted and root.answered
        outside = self._parties.is_from_outside(root)
        if not empty and (spoke_up or (outside and not met_in_talk)):
            self._parties.decide(open_call, None)
        if call.direction is None:
            open_call.media.clear()
        call.close(at, reconstructed=reconstructed)
        self._book.close(open_call)
