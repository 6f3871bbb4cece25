"""The open calls of one FreeSWITCH: which channel belongs to which call.

A call is its caller's leg, the *root*, with all that was dialled for it. A leg names the one it was dialled
for: the originator of a bridge, the member of a queue for whom an agent is rung, the other half of a loopback
pair; else it shows the call's uuid.
"""

import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from webhooks.pbx.calls import Call, Direction
from webhooks.pbx.freeswitch.channels import Channel
from webhooks.pbx.freeswitch.message import Message

_NAMESPACE: Final = uuid.UUID("8a2d1b1e-54ce-5b0c-9c55-f5ee5417c4e1")  # of ids that are no UUID themselves
_REMEMBERED: Final = timedelta(minutes=2)  # how long messages of a closed call may straggle in
_MOST_REMEMBERED: Final = 20_000  # channels

Event = dict[str, object]


def thread_id(source: str, uid: str) -> uuid.UUID:
    """The id of a call: its first channel's own, as FreeSWITCH and its records have it."""
    try:
        return uuid.UUID(uid)
    except ValueError:
        return uuid.uuid5(_NAMESPACE, f"{source}/{uid}")


@dataclass(slots=True, eq=False)
class OpenCall:
    """A call and its channels. ``media`` are events of recordings that wait until the parties are known."""

    call: Call
    root: Channel
    serial: int
    opened_at: datetime
    heard_at: datetime
    channels: dict[str, Channel] = field(default_factory=dict)
    extension: str = ""
    media: list[Event] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether all its channels hung up."""
        return all(channel.gone for channel in self.channels.values())

    @property
    def is_quiet(self) -> bool:
        """Whether all that were seen hung up; others are named, and may never show."""
        return all(channel.gone or channel.unseen for channel in self.channels.values())

    def legs(self) -> list[Channel]:
        """The phones and trunks that were dialled."""
        return [
            channel
            for channel in self.channels.values()
            if channel is not self.root and not channel.is_loopback and not channel.unseen
        ]


class Book:
    """All open calls of one FreeSWITCH, and for a while the uuids of those that are closed.

    ``now_at`` is our own time: the clock that stamps messages may be wrong, and is not for counting ages.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._serial = 0
        self._home: dict[str, OpenCall] = {}
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

    def find(self, uid: str) -> Channel | None:
        """The open channel of this uuid."""
        open_call = self._home.get(uid)
        return open_call.channels[uid] if open_call else None

    def closed(self, uid: str) -> Call | None:
        """The call, lately closed, that a channel was of."""
        return self._closed.get(uid)

    def touch(self, open_call: OpenCall) -> None:
        """Mark a call: it may have news."""
        open_call.heard_at = self.now_at
        self.touched.append(open_call)

    def see(self, message: Message) -> Channel | None:
        """The channel that a message is about, taken up if it is new. None: it is of a closed call."""
        uid = message["Unique-ID"]
        if not uid or uid in self._closed:
            return None
        channel = self.find(uid)
        above_uid = _above(message)
        if channel is None:
            if above_uid in self._closed or message["Channel-Call-UUID"] in self._closed:
                # what hangs up late, or was dialled for a caller who is gone; no call begins in mid-way
                self._remember(uid, self._closed.get(above_uid) or self._closed[message["Channel-Call-UUID"]])
                return None
            channel = self._placed(uid, above_uid, message["Channel-Call-UUID"])
        if channel.unseen:
            _fill(channel, message)
        self._link(channel, message, above_uid)
        channel.answered |= message["Answer-State"] == "answered" or message.happened(
            "Caller-Channel-Answered-Time"
        )
        channel.rang |= message.happened("Caller-Channel-Progress-Time") or message.happened(
            "Caller-Channel-Progress-Media-Time"
        )
        channel.gateway = message["variable_sip_gateway_name"] or channel.gateway
        channel.told_direction = message["variable_call_direction"] or channel.told_direction
        channel.connection = self.connection
        self.touch(self.home(channel))
        return channel

    def named(self, uid: str, beside: Channel) -> Channel | None:
        """The channel of this uuid, which another one's message names. None: it is of a closed call."""
        channel = self.find(uid)
        if channel is None and uid and uid not in self._closed:
            channel = Channel(uid)
            self._enter(channel, self.home(beside))
        return channel

    def open(self, channel: Channel) -> OpenCall:
        """Begin a call with this channel as its root."""
        self._serial += 1
        call = Call(thread_id(self._source, channel.uid))
        open_call = OpenCall(call, channel, self._serial, self.now_at, self.now_at)
        self._enter(channel, open_call)
        return open_call

    def move(self, channel: Channel, target: OpenCall) -> None:
        """Make a channel part of another call. The call that it leaves may be over by that."""
        source = self._home[channel.uid]
        if source is not target:
            del source.channels[channel.uid]
            self._enter(channel, target)
            self.touched += [source, target]

    def close(self, open_call: OpenCall) -> None:
        """Forget a call's channels, but remember for a while that they are no news."""
        for uid in {*open_call.channels, open_call.root.uid}:
            if self._home.get(uid) in (open_call, None):
                self._home.pop(uid, None)
                self._remember(uid, open_call.call)

    def _remember(self, uid: str, call: Call) -> None:
        self._closed[uid] = call
        self._closed_at.append((self.now_at, uid))
        while self._closed_at and (
            self.now_at - self._closed_at[0][0] > _REMEMBERED or len(self._closed_at) > _MOST_REMEMBERED
        ):
            self._closed.pop(self._closed_at.popleft()[1], None)

    def _enter(self, channel: Channel, open_call: OpenCall) -> None:
        open_call.channels[channel.uid] = channel
        self._home[channel.uid] = open_call

    def _placed(self, uid: str, above_uid: str, call_uid: str) -> Channel:
        """A new channel in the call of what it names. What is not known yet has its place kept."""
        channel = Channel(uid)
        for known in (above_uid, call_uid):
            if known in self._home:
                self._enter(channel, self._home[known])
                return channel
        root_uid = next((known for known in (call_uid, above_uid) if known not in ("", uid)), "")
        if not root_uid:
            self.open(channel)
        else:
            self._enter(channel, self.open(Channel(root_uid)))
        return channel

    def _link(self, channel: Channel, message: Message, above_uid: str) -> None:
        """Note what a channel was dialled for, and a loopback pair's other half; see whose call it is."""
        pair_uid = message["variable_other_loopback_leg_uuid"] if channel.is_loopback else ""
        if channel.above is None and above_uid not in ("", channel.uid):
            channel.above = self.named(above_uid, channel)
        if channel.pair is None and pair_uid:
            pair = channel.pair = self.named(pair_uid, channel)
            if pair is not None:
                pair.pair = channel
        self._gather(channel)

    def _gather(self, channel: Channel) -> None:
        """Give a call that turned out to be part of another one to that; find its root, if another shows."""
        own, top = self.home(channel), channel.top()
        if own.call.is_told_of or own.root.top() is not top:
            return
        target = self._home.get(top.uid)
        if target is None:  # closed: the caller is gone
            return
        if own is not target:
            for each in list(own.channels.values()):
                self.move(each, target)
        elif own.root is not top:
            own.root = top
            own.call.thread_id = thread_id(self._source, top.uid)


def _above(message: Message) -> str:
    """The uuid of the leg for which this one was dialled, "" where it began by itself."""
    originator = message["Other-Leg-Unique-ID"] if message["Other-Type"] == "originator" else ""
    found = message.first(
        "variable_cc_member_session_uuid", "variable_originating_leg_uuid", "variable_originator"
    )
    if message["Call-Direction"] != "outbound":
        return ""
    return found or originator


def _fill(channel: Channel, message: Message) -> None:
    """Take what a channel is from the first of its own messages: later ones show where it was sent since."""
    channel.name = message["Channel-Name"]
    channel.outbound = message["Call-Direction"] == "outbound"
    channel.number = message["Caller-Caller-ID-Number"]
    channel.caller_name = message["Caller-Caller-ID-Name"]
    channel.dialled = message["Caller-Destination-Number"]
    channel.context = message["Caller-Context"]
    channel.is_user = _is_user(message)
    channel.unseen = False


def _is_user(message: Message) -> bool:
    """Whether a phone logged in: its directory entry's variables are there, or that it was authorised."""
    return bool(message.first("variable_user_name", "variable_sip_auth_username")) or (
        message["variable_sip_authorized"] == "true"
    )


def is_told(open_call: OpenCall, *, internal_calls: bool) -> bool:
    """Whether the site wants to hear of a call, whose direction is known."""
    direction = open_call.call.direction
    return direction is not None and (internal_calls or direction is not Direction.INTERNAL)
