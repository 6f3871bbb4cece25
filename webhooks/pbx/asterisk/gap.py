"""After a lost connection: what Asterisk has now, against what we knew."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from webhooks.pbx.asterisk.book import Book, OpenCall, dial_target
from webhooks.pbx.asterisk.channels import Channel
from webhooks.pbx.asterisk.dials import Dials
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.asterisk.parties import Parties

_RINGING: Final = "5"  # channel states
_UP: Final = "6"
_NUMBER: Final = re.compile(r"\+?[0-9]{2,}")


class Gap:
    """Compares the open calls with a list of the channels that are (CoreShowChannel)."""

    def __init__(self, book: Book, parties: Parties, dials: Dials) -> None:
        self._book = book
        self._parties = parties
        self._dials = dials

    def close(self, listing: Sequence[Message], at: datetime) -> None:
        """Take what is not listed for gone, take up what we do not know, and see who talks by now.

        A channel that we heard of since the cut is there, listed or not.
        """
        listed = {message["Uniqueid"]: message for message in listing}
        for open_call in self._book.calls():
            for channel in open_call.channels.values():
                if channel.connection < self._book.connection:
                    open_call.call.is_doubtful = True
                    channel.gone |= channel.uid not in listed
                    self._book.touch(channel)
        # A root goes first. One that hung up after a transfer is not listed: a real channel stands for it.
        for message in sorted(listing, key=lambda message: message["Uniqueid"] != message["Linkedid"]):
            if self._book.find(message) is None:
                self._adopt(message, at)
        for open_call in self._book.calls():
            self._settle(open_call, listed, at)

    def _adopt(self, message: Message, at: datetime) -> None:
        channel = self._book.add(message, as_root=not message["Channel"].startswith("Local/"))
        if channel is None:
            return
        channel.adopted = True
        open_call = self._book.home(channel)
        open_call.call.is_doubtful = True
        if channel is open_call.root:
            self._adopt_root(open_call, message, at)
        elif not channel.is_local:
            channel.dialled_by = open_call.root
            channel.party = self._parties.of_adopted(channel, open_call.dialled)
            channel.rang = message["ChannelState"] == _RINGING
        self._book.touch(channel)

    def _adopt_root(self, open_call: OpenCall, message: Message, at: datetime) -> None:
        """Read what was dialled off the present application: the extension is one of a macro by now."""
        root = open_call.root
        root.met_in_talk = message["ChannelState"] == _UP
        exten = root.exten if _NUMBER.fullmatch(root.exten) else ""
        dials = message["Application"] == "Dial"
        open_call.dialled = dial_target(message["ApplicationData"]) if dials else exten
        open_call.call.did = exten
        if message["Application"] == "Queue" and not message["BridgeId"]:
            open_call.call.join_queue(message["ApplicationData"].split(",")[0], at)
            self._parties.decide(open_call, None)

    def _settle(self, open_call: OpenCall, listed: dict[str, Message], at: datetime) -> None:
        root = listed.get(open_call.root.uid)
        for channel in open_call.channels.values():
            if channel.uid in listed:
                channel.bridge = listed[channel.uid]["BridgeId"]
        if root is not None and root["BridgeId"]:
            for leg in open_call.real_legs():
                if self._talks(leg, listed):
                    open_call.root.answers.append(leg)
                    break
        self._dials.settle(open_call, at)

    def _talks(self, leg: Channel, listed: dict[str, Message]) -> bool:
        """Whether a leg is bridged: with a caller who is, too, it is the one that answered meanwhile."""
        message = listed.get(leg.uid)
        return message is not None and message["ChannelState"] == _UP and bool(message["BridgeId"])
