"""The open calls of one Asterisk: which channel belongs to which call, and what each call is about.

A call is named by the Linkedid of its first channel, its *root*. Bridges rewrite the Linkedids of what they
join to the oldest, without an event: so a channel moves to the call of a Linkedid that it shows, if that is
older.
"""

import re
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from webhooks.pbx.asterisk.channels import Channel, pair_name
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.calls import Call, Party

_NAMESPACE: Final = uuid.UUID("5f0ac1e4-6d0b-5c0e-9d0b-a57e1f5c0de1")  # of our thread ids
_REMEMBERED: Final = timedelta(minutes=2)  # how long messages of a closed call may straggle in
_MOST_REMEMBERED: Final = 20_000  # channels
_WITHHELD: Final = frozenset(
    {"s", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld"}
)


def thread_id(source: str, linkedid: str) -> uuid.UUID:
    """The id of a call, the same whenever it is asked for. A Linkedid has the second of its making in it."""
    return uuid.uuid5(_NAMESPACE, f"{source}/{linkedid}")


@dataclass(slots=True, eq=False)
class OpenCall:
    """A call and its channels, named by ``linkedid``.

    ``dialled`` is what the caller dialled, ``extension`` where the dialplan took him, ``aimed_at`` the first
    target of a Dial() that found nobody. ``transferring``: somebody handed the call on.
    """

    call: Call
    linkedid: str
    root: Channel
    serial: int
    opened_at: datetime
    channels: dict[str, Channel] = field(default_factory=dict)
    dialled: str = ""
    extension: str = ""
    aimed_at: str = ""
    transferring: bool = False

    @property
    def is_over(self) -> bool:
        """Whether all its channels hung up."""
        return all(channel.gone for channel in self.channels.values())

    def real_legs(self) -> list[Channel]:
        """The phones and trunks that were dialled for the root, however many Local channels lie between."""
        return [
            channel
            for channel in self.channels.values()
            if not channel.is_local and channel.dialled_by and channel.dialler() is self.root
        ]

    def is_agent(self, channel: Channel) -> bool:
        """Whether it is the phone that a click-to-call rings first."""
        if channel is self.root:
            return self.root.originated
        above = channel.dialler()
        return not channel.is_local and self.root.is_local and above.is_local and above is self.root.partner


class Book:
    """All open calls of one Asterisk, and for a while the ids of those that are closed.

    ``now_at`` is our own time: the clock that stamps messages may be wrong, and is not for counting ages.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._serial = 0
        self._home: dict[str, OpenCall] = {}  # by a channel's Uniqueid
        self._by_linkedid: dict[str, OpenCall] = {}
        self._by_name: dict[str, Channel] = {}  # halves of Local channels that lack their partner
        self._closed: dict[str, Call] = {}
        self._closed_at: deque[tuple[datetime, str]] = deque()
        self.connection = 0
        self.now_at = datetime.min.replace(tzinfo=UTC)
        self.touched: list[OpenCall] = []

    def calls(self) -> list[OpenCall]:
        """The open calls, oldest first."""
        return sorted(set(self._home.values()), key=lambda open_call: open_call.serial)

    def home(self, channel: Channel) -> OpenCall:
        """The call that a channel belongs to."""
        return self._home[channel.uid]

    def touch(self, channel: Channel | None) -> None:
        """Mark the call of a channel: it may have news."""
        if channel is not None:
            self.touched.append(self.home(channel))

    def call_of(self, uid: str) -> Call | None:
        """The call of a Uniqueid or Linkedid, open or lately closed."""
        open_call = self._home.get(uid) or self._by_linkedid.get(uid)
        return open_call.call if open_call else self._closed.get(uid)

    def find(self, message: Message, prefix: str = "") -> Channel | None:
        """The channel that a message is about, moved if it shows an older Linkedid. None: it is not known."""
        open_call = self._home.get(message[f"{prefix}Uniqueid"])
        if open_call is None:
            return None
        channel = open_call.channels[message[f"{prefix}Uniqueid"]]
        channel.connection = self.connection
        linkedid = message[f"{prefix}Linkedid"]
        if linkedid and linkedid != channel.linkedid:
            channel.linkedid = linkedid
            older = self._by_linkedid.get(linkedid)
            if older is not None and older.serial < open_call.serial:
                self.move(channel, older)
        return channel

    def add(self, message: Message, *, as_root: bool = False) -> Channel | None:
        """Take up a new channel. None: it is known, or of a closed call.

        A leg's creation may come before its caller's: a root that is not seen yet has its place kept. A call
        whose root never shows stays untold.
        """
        uid, linkedid = message["Uniqueid"], message["Linkedid"]
        known = self._home[uid].channels[uid] if uid in self._home else None
        if not uid or not linkedid or uid in self._closed or (known and not known.unseen):
            return None
        channel = known or Channel(uid, "", linkedid)
        channel.name, channel.context, channel.exten = (
            message["Channel"],
            message["Context"],
            message["Exten"],
        )
        channel.number, channel.caller_name = _shown(message["CallerIDNum"]), message["CallerIDName"]
        channel.unseen, channel.connection = False, self.connection
        open_call = self._by_linkedid.get(linkedid)
        if open_call is None:
            if linkedid in self._closed:
                return None
            is_root = uid == linkedid or as_root
            open_call = self._open(channel if is_root else Channel(linkedid, "", linkedid, unseen=True))
        self._enter(channel, open_call)
        if channel is open_call.root:
            open_call.dialled = open_call.call.did = "" if channel.exten == "s" else channel.exten
            open_call.call.caller = Party(channel.number, channel.caller_name)
        return channel

    def _open(self, root: Channel) -> OpenCall:
        self._serial += 1
        call = Call(thread_id(self._source, root.linkedid))
        open_call = OpenCall(call, root.linkedid, root, self._serial, self.now_at)
        self._by_linkedid[root.linkedid] = open_call
        self._enter(root, open_call)
        return open_call

    def _enter(self, channel: Channel, open_call: OpenCall) -> None:
        self._home[channel.uid] = open_call
        open_call.channels[channel.uid] = channel
        if channel.is_local and channel.partner is None:
            self._pair(channel)

    def _pair(self, channel: Channel) -> None:
        partner = self._by_name.pop(pair_name(channel.name), None)
        if partner is None:
            self._by_name[channel.name] = channel
        else:
            channel.partner, partner.partner = partner, channel

    def move(self, channel: Channel, target: OpenCall) -> None:
        """Make a channel part of another call. The call that it leaves may be over by that."""
        source = self._home[channel.uid]
        if source is not target:
            del source.channels[channel.uid]
            target.channels[channel.uid] = channel
            self._home[channel.uid] = target
            self.touched += [source, target]

    def close(self, open_call: OpenCall) -> None:
        """Forget a call's channels, but remember for a while that they are no news."""
        for uid in {*open_call.channels, open_call.root.uid}:
            if self._home.get(uid) in (open_call, None):
                self._home.pop(uid, None)
                self._closed[uid] = open_call.call
                self._closed_at.append((self.now_at, uid))
        for channel in open_call.channels.values():
            self._by_name.pop(channel.name, None)
        del self._by_linkedid[open_call.linkedid]
        self._closed[open_call.linkedid] = open_call.call
        self._closed_at.append((self.now_at, open_call.linkedid))
        while self._closed_at and (
            self.now_at - self._closed_at[0][0] > _REMEMBERED or len(self._closed_at) > _MOST_REMEMBERED
        ):
            self._closed.pop(self._closed_at.popleft()[1], None)


def _shown(number: str) -> str:
    """A caller's number, "" where it is withheld: a word in its place would match other such callers.

    "s" is the dialplan's start, which a trunk's leg shows for want of a number.
    """
    return "" if number.lower() in _WITHHELD else number


def dial_target(app_data: str) -> str:
    """The number or extension that Dial() tries first: ``5010`` of ``PJSIP/5010&PJSIP/5011,20,tT``."""
    return target_number(app_data.split(",")[0].split("&")[0])


def target_number(dial_string: str) -> str:
    """The number that a trunk was asked for: ``1`` of ``1@trunk``, ``trunk/1`` and ``trunk/sip:1@host``."""
    return re.sub(r"^sips?:", "", dial_string.split("@")[0].rsplit("/", 1)[-1])
