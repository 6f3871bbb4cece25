"""Dials, answers and queues: who is tried for a caller, and who took the call."""

from datetime import datetime

from webhooks.pbx.asterisk.book import Book, OpenCall
from webhooks.pbx.asterisk.channels import Channel
from webhooks.pbx.asterisk.facts import Handler
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.asterisk.parties import Parties
from webhooks.pbx.calls import Party


class Dials:
    """Notes the edges between channels, and draws the conclusions for the call."""

    def __init__(self, book: Book, parties: Parties) -> None:
        self._book = book
        self._parties = parties
        self.handlers: dict[str, Handler] = {
            "Newchannel": self._newchannel, "LocalBridge": self._localbridge,
            "DialBegin": self._dialbegin, "DialEnd": self._dialend, "AgentConnect": self._agentconnect,
            "BridgeEnter": self._bridgeenter, "BridgeLeave": self._bridgeleave,
            "QueueCallerJoin": self._queuecallerjoin,
        }  # fmt: skip

    def _newchannel(self, message: Message, at: datetime) -> None:
        channel = self._book.add(message)
        if channel is not None:
            self.settle(self._book.home(channel), at)

    def _localbridge(self, message: Message, at: datetime) -> None:
        one, two = self._book.find(message, "LocalOne"), self._book.find(message, "LocalTwo")
        if one is not None and two is not None:
            one.partner, two.partner = two, one
            self.settle(self._book.home(one), at)

    def _bridgeenter(self, message: Message, at: datetime) -> None:
        channel = self._book.find(message)
        if channel is not None:
            channel.bridge = message["BridgeUniqueid"]
            self.settle(self._book.home(channel), at)

    def _bridgeleave(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        if channel is not None and channel.bridge == message["BridgeUniqueid"]:
            channel.bridge = ""

    def _dialbegin(self, message: Message, at: datetime) -> None:
        leg, caller = self._book.find(message, "Dest"), self._book.find(message)
        if leg is None:
            return
        leg.party = self._parties.of_leg(leg, message)
        if caller is None:
            if not message["Uniqueid"]:  # Originate: nobody dials
                leg.originated = True
            return
        leg.dialled_by = caller
        open_call = self._take_over(leg, caller)
        if caller is open_call.root:
            self._parties.see_place(open_call, message)
        self.settle(open_call, at)

    def _dialend(self, message: Message, at: datetime) -> None:
        leg, caller = self._book.find(message, "Dest"), self._book.find(message)
        if leg is None:
            return
        outcome = message["DialStatus"]
        leg.forwarded |= bool(message["Forward"])
        if outcome == "ANSWER" or not leg.leg_outcome:
            leg.leg_outcome = outcome
        if outcome == "ANSWER" and caller is not None:
            self._answered(caller, leg, at)

    def _agentconnect(self, message: Message, at: datetime) -> None:
        leg, caller = self._book.find(message, "Dest"), self._book.find(message)
        if leg is not None and caller is not None:
            self._answered(caller, leg, at)

    def _answered(self, caller: Channel, leg: Channel, at: datetime) -> None:
        if leg not in caller.answers:
            caller.answers.append(leg)
        if leg.dialled_by is None:  # a pick-up: nobody dialled who took it
            leg.dialled_by = caller
            leg.party = self._parties.of_phone(leg)
        self.settle(self._take_over(leg, caller), at)

    def _take_over(self, leg: Channel, caller: Channel) -> OpenCall:
        """Make the leg part of its caller's call: after a transfer or a pick-up it comes from another one."""
        open_call = self._book.home(caller)
        self._book.move(leg, open_call)
        return open_call

    def _queuecallerjoin(self, message: Message, at: datetime) -> None:
        channel = self._book.find(message)
        if channel is None or self._book.home(channel).root is not channel:
            return
        open_call = self._book.home(channel)
        self._book.touch(channel)
        open_call.call.join_queue(message["Queue"], at)
        self._parties.decide(open_call, None)

    def settle(self, open_call: OpenCall, at: datetime) -> None:
        """Draw the conclusions: who is tried for the caller, who took the call, who has it now."""
        call = open_call.call
        self._book.touched.append(open_call)
        if call.answered_at is None:
            self._settle_legs(open_call, at)
            real = self._who_answered(open_call)
            if real is not None:
                self._parties.decide(open_call, real)
                call.answer(real.uid, real.party, at)
        elif open_call.transferring:
            for channel in open_call.channels.values():
                self.handed_to(open_call, *channel.answers)

    def _who_answered(self, open_call: OpenCall) -> Channel | None:
        """The real channel behind an answered dial of the root, or one that talks with the root."""
        root = open_call.root
        answered = [leg.reached() for leg in root.answers]
        together = [leg for leg in open_call.real_legs() if root.bridge and leg.bridge == root.bridge]
        return next((leg for leg in [*answered, *together] if leg is not None), None)

    def _settle_legs(self, open_call: OpenCall, at: datetime) -> None:
        for leg in open_call.real_legs():
            self._parties.decide(open_call, leg)
            began_before = leg.adopted and not leg.rang
            open_call.call.ring(leg.uid, leg.party, None if began_before else at)
        if open_call.root.is_local and open_call.root.partner:  # a click-to-call: its agent is the caller
            for channel in open_call.channels.values():
                if channel is not open_call.root and open_call.is_agent(channel):
                    open_call.call.caller = self._parties.of_phone(channel, channel.party.number)

    def handed_to(self, open_call: OpenCall, *legs: Channel) -> None:
        """Note who has the call after a transfer, if one of these legs leads to somebody."""
        for leg in legs:
            real = leg.reached()
            if real is not None:
                self.handed_to_party(open_call, real.party)

    def handed_to_party(self, open_call: OpenCall, party: Party) -> None:
        """Note who has the call after a transfer. One that came back to who answered it was not handed on."""
        call = open_call.call
        if call.answered_by and party.number != call.answered_by.party.number:
            call.transferred_to = party
