"""What each message tells of its call: who is tried, who took it, why it ended."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from webhooks.pbx.calls import Party
from webhooks.pbx.freeswitch import hangups
from webhooks.pbx.freeswitch.book import Book, OpenCall
from webhooks.pbx.freeswitch.channels import Channel
from webhooks.pbx.freeswitch.message import Message
from webhooks.pbx.freeswitch.parties import Parties

Handler = Callable[[Message, datetime], None]

_SUCCESS: Final = ("", "SUCCESS")


class Facts:
    """Notes in the calls what the messages tell, in whichever order they come."""

    def __init__(self, book: Book, parties: Parties) -> None:
        self._book = book
        self._parties = parties
        self.handlers: dict[str, Handler] = {
            "CHANNEL_CREATE": self._seen, "CHANNEL_PROGRESS": self._rings,
            "CHANNEL_PROGRESS_MEDIA": self._rings, "CHANNEL_ANSWER": self._answers,
            "CHANNEL_BRIDGE": self._bridge, "CHANNEL_UNBRIDGE": self._unbridge,
            "CHANNEL_HANGUP_COMPLETE": self._hangup, "CHANNEL_DESTROY": self._destroy,
            "callcenter::info": self._queue,
        }  # fmt: skip

    def _seen(self, message: Message, at: datetime) -> None:
        channel = self.take(message)
        if channel is None:
            return
        if channel.outbound and message["variable_cc_queue"]:  # an agent is rung: the caller is in a queue
            self._join(self._book.home(channel), message["variable_cc_queue"], at)
        self.settle(self._book.home(channel), at)

    def _rings(self, message: Message, at: datetime) -> None:
        channel = self.take(message)
        if channel is not None:
            channel.rang = True
            self.settle(self._book.home(channel), at)

    def _answers(self, message: Message, at: datetime) -> None:
        channel = self.take(message)
        if channel is not None:
            channel.answered = True
            self.settle(self._book.home(channel), at)

    def _bridge(self, message: Message, at: datetime) -> None:
        channel = self.take(message)
        if channel is None:
            return
        uids = [message["Bridge-A-Unique-ID"], message["Bridge-B-Unique-ID"], message["Other-Leg-Unique-ID"]]
        other = self._book.named(next((uid for uid in uids if uid not in ("", channel.uid)), ""), channel)
        if other is not None:
            other.answered |= message.happened("Other-Leg-Channel-Answered-Time")
            self.connect(channel, other, at)

    def _unbridge(self, message: Message, at: datetime) -> None:
        channel = self.take(message)
        if channel is not None:
            channel.leave()
            self.settle(self._book.home(channel), at)

    def _queue(self, message: Message, at: datetime) -> None:
        """mod_callcenter: a caller joins a queue, an agent is given one."""
        root = self._book.find(message["CC-Member-Session-UUID"])
        if root is None:
            return
        open_call = self._book.home(root)
        self._book.touch(open_call)
        if message["CC-Action"] == "member-queue-start":
            self._join(open_call, message["CC-Queue"], at)
        elif message["CC-Action"] == "bridge-agent-start":
            agent = self._book.find(message["CC-Agent-UUID"])
            if agent is not None:
                agent.answered = True
                self.connect(root, agent, at)

    def _join(self, open_call: OpenCall, queue: str, at: datetime) -> None:
        self._parties.decide(open_call, None)
        open_call.call.join_queue(queue.partition("@")[0], at)

    def _hangup(self, message: Message, at: datetime) -> None:
        channel = self.take(message)
        if channel is None or channel.gone:
            return
        channel.gone = True
        open_call = self._book.home(channel)
        self.settle(open_call, at)
        cause, sip_code = message["Hangup-Cause"], _sip_code(message)
        if cause not in hangups.WITHDRAWN:
            self._see_who(open_call, channel, message["variable_sip_hangup_disposition"])
        if channel is open_call.root:
            self._root_hangup(open_call, message, cause)
        elif channel.uid in open_call.call.legs:
            call = open_call.call
            if cause in hangups.WITHDRAWN:
                call.withdraw(channel.uid, at)
                return
            status = hangups.of_leg(cause, sip_code, rang=channel.rang)
            if message["variable_sip_603plus_reason"]:
                status = "blocked"
            own = hangups.was_given_up(cause, sip_code)
            q850 = message.number("variable_hangup_cause_q850")
            call.fail(channel.uid, status, at, None if own else q850, None if own else sip_code)

    def _root_hangup(self, open_call: OpenCall, message: Message, cause: str) -> None:
        """Note why a call ended that reached nobody, by what was tried last. The caller gave up: his own.

        It names the legs that were tried. Those that did not show yet are waited for.
        """
        call = open_call.call
        for uid in _originated(message["variable_originated_legs"]):
            self._book.named(uid, open_call.root)
        call.cause = message.number("variable_hangup_cause_q850") or call.cause
        tried = message["variable_originate_disposition"]
        if message["variable_sip_603plus_reason"]:
            call.refused_as = "blocked"
        if tried not in _SUCCESS and cause != "ORIGINATOR_CANCEL":
            call.hint = hangups.of_cause(tried)
        elif not open_call.root.answered:
            call.hint = hangups.of_cause(cause)

    def _destroy(self, message: Message, at: datetime) -> None:
        """The channel is no more; its CHANNEL_HANGUP_COMPLETE may have been lost."""
        channel = self.take(message)
        if channel is not None and not channel.gone:
            channel.gone = True
            self.settle(self._book.home(channel), at)

    def take(self, message: Message) -> Channel | None:
        """Take up the channel of a message, and who is at it. None: it is of a closed call."""
        channel = self._book.see(message)
        if channel is None:
            return None
        open_call = self._book.home(channel)
        if channel is not open_call.root or channel.outbound:
            self._parties.see_leg(channel, message)
        if channel.outbound and channel.above is open_call.root and not open_call.call.is_told_of:
            # where the dialplan had taken the caller when this leg was dialled
            open_call.extension = message["Other-Leg-Destination-Number"] or open_call.extension
        return channel

    def connect(self, one: Channel, two: Channel, at: datetime) -> None:
        """Note a bridge. Of two calls that it joins, the older one goes on: a pick-up, or a transfer."""
        one.join(two)
        calls = sorted((self._book.home(one), self._book.home(two)), key=lambda call: call.serial)
        older, younger = calls
        if older is not younger:
            came = one if self._book.home(one) is younger else two
            if came is younger.root and not came.outbound and not came.party.number:
                self._parties.see_leg(came, Message(()))
            if younger.call.answered_at is not None:  # a consultation, which has an end of its own
                older.call.related, younger.call.related = younger.call.thread_id, older.call.thread_id
            self._book.move(came, older)
        self.settle(older, at)

    def settle(self, open_call: OpenCall, at: datetime) -> None:
        """Draw the conclusions: who is tried for the caller, who took the call, who has it now."""
        call, root = open_call.call, open_call.root
        self._book.touch(open_call)
        if call.answered_at is None:
            for leg in open_call.legs():
                self._parties.decide(open_call, leg)
                rings = leg.rang and not leg.gone and not leg.adopted
                call.ring(leg.uid, leg.party, at if rings else None)
        taker = root.reached()
        if taker is not None and taker.answered and not taker.unseen:
            if call.answered_at is None:
                self._parties.decide(open_call, taker)
                call.answer(taker.uid, taker.party, at)
            else:
                self._handed_to(open_call, taker)
        if call.answered_at is not None:
            for leg in open_call.legs():
                there = leg.reached() if leg.party == _taker(open_call) else None
                if there is not None and there is not root and there.answered and not there.unseen:
                    self._handed_to(open_call, there)

    def _handed_to(self, open_call: OpenCall, channel: Channel) -> None:
        """Note who has the call now. One that came back to who answered it was not handed on."""
        call = open_call.call
        if channel.party.number and channel.party.number != _taker(open_call).number:
            if call.transferred_to != channel.party:
                call.ended_by = None  # who left the talk before has handed it on
            call.transferred_to = channel.party

    def _see_who(self, open_call: OpenCall, channel: Channel, disposition: str) -> None:
        """Note who hung up first: the side that sent the BYE or the CANCEL."""
        call = open_call.call
        if call.ended_by is not None or not disposition.startswith("recv_"):
            return
        if channel is open_call.root:
            call.ended_by = "caller"
        elif channel.answered and call.answered_at is not None:
            call.ended_by = "callee"


def _taker(open_call: OpenCall) -> Party:
    answered = open_call.call.answered_by
    return answered.party if answered else Party()


def _originated(legs: str) -> list[str]:
    """The uuids of ``ARRAY::uuid;name;number|:uuid;name;number``, or of a single one."""
    found = (leg.split(";")[0] for leg in legs.removeprefix("ARRAY::").split("|:"))
    return [uid for uid in found if uid]


def _sip_code(message: Message) -> int | None:
    """The SIP code of a failure that the far side gave."""
    names = ("variable_sip_invite_failure_status", "variable_sip_term_status",
             "variable_proto_specific_hangup_cause")  # fmt: skip
    return next((code for code in (hangups.sip_code_of(message[name]) for name in names) if code), None)
