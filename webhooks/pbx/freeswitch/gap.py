"""After a lost connection: what FreeSWITCH has now (``show channels``), against what we knew."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from webhooks.pbx.freeswitch.book import Book, OpenCall
from webhooks.pbx.freeswitch.channels import Channel
from webhooks.pbx.freeswitch.facts import Facts
from webhooks.pbx.freeswitch.message import Message
from webhooks.pbx.freeswitch.parties import Parties

_TALKING: Final = frozenset({"ACTIVE", "HELD", "UNHELD"})
_RINGING: Final = frozenset({"RINGING", "EARLY", "RING_WAIT"})
_QUEUE: Final = "callcenter"


class Gap:
    """Compares the open calls with a list of the channels that are."""

    def __init__(self, book: Book, parties: Parties, facts: Facts) -> None:
        self._book, self._parties, self._facts = book, parties, facts

    def close(self, listing: Sequence[Message], at: datetime) -> None:
        """Take what is not listed for gone, take up what we do not know, and see who talks by now.

        A channel that we heard of since the cut is there, listed or not.
        """
        listed = {row["uuid"]: row for row in listing}
        for open_call in self._book.calls():
            for channel in open_call.channels.values():
                if channel.connection < self._book.connection:
                    open_call.call.is_doubtful = True
                    channel.gone |= channel.uid not in listed
                    self._book.touch(open_call)
        for row in sorted(listing, key=lambda row: row["call_uuid"] not in ("", row["uuid"])):  # roots first
            known = self._book.find(row["uuid"])
            if known is None:
                self._adopt(row, at)
            else:
                known.answered |= row["callstate"] in _TALKING
                known.rang |= row["callstate"] in _RINGING
        for open_call in self._book.calls():
            self._settle(open_call, listed, at)

    def _adopt(self, row: Message, at: datetime) -> None:
        """Take up a channel that began while nobody listened, by what the list shows of it."""
        seen = Message([
            ("Unique-ID", row["uuid"]), ("Channel-Call-UUID", row["call_uuid"]),
            ("Channel-Name", row["name"]),
            ("Call-Direction", row["direction"]), ("Caller-Context", row["context"]),
            ("Caller-Caller-ID-Number", row.first("initial_cid_num", "cid_num")),
            ("Caller-Caller-ID-Name", row.first("initial_cid_name", "cid_name")),
            ("Caller-Destination-Number", row.first("initial_dest", "dest")),
            ("Caller-Callee-ID-Name", row["callee_name"]),
            ("Answer-State", "answered" if row["callstate"] in _TALKING else ""),
            ("variable_user_name", row["accountcode"]),
        ])  # fmt: skip
        channel = self._book.see(seen)
        if channel is None:
            return
        channel.adopted, channel.rang = True, row["callstate"] in _RINGING
        open_call = self._book.home(channel)
        open_call.call.is_doubtful = True
        if channel is not open_call.root:
            channel.above = open_call.root
            self._parties.see_leg(channel, seen)
        elif row["application"] == _QUEUE:
            self._parties.decide(open_call, None)
            open_call.call.join_queue(row["application_data"].partition("@")[0], at)
        if channel is open_call.root and row["dest"] != row["initial_dest"]:
            open_call.extension = row["dest"]

    def _settle(self, open_call: OpenCall, listed: dict[str, Message], at: datetime) -> None:
        """Join the caller with the one leg of his that talks by now, if he does himself."""
        root = open_call.root
        talking = [leg for leg in open_call.legs() if leg.answered and not leg.gone and leg.uid in listed]
        if root.partner is None and talking and self._talks(root, listed):
            root.join(talking[0])
        self._facts.settle(open_call, at)

    def _talks(self, root: Channel, listed: dict[str, Message]) -> bool:
        row = listed.get(root.uid)
        return row is not None and row["callstate"] in _TALKING
