"""What single channels tell: that they are, where the dialplan has them, why they went."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from webhooks.pbx.asterisk import outcomes
from webhooks.pbx.asterisk.book import Book, OpenCall, dial_target
from webhooks.pbx.asterisk.channels import Channel
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.asterisk.parties import Parties

_NO_SUCH_NUMBER: Final = frozenset(
    {"bad-number", "ext-did-catchall", "macro-bad-number"}
)  # FreePBX's contexts
_NO_SERVICE: Final = "ss-noservice"  # the sound "the number you have dialled is not in service"
_ANSWERED_ELSEWHERE: Final = 26  # cause
_RINGING: Final = "5"  # channel state

Handler = Callable[[Message, datetime], None]


class Facts:
    """Notes in the calls what the messages of one channel tell."""

    def __init__(self, book: Book, parties: Parties) -> None:
        self._book = book
        self._parties = parties
        self.handlers: dict[str, Handler] = {
            "Newstate": self._newstate, "DialState": self._dialstate,
            "NewCallerid": self._newcallerid, "Newexten": self._newexten, "VarSet": self._varset,
            "Rename": self._rename,
            "HangupRequest": self._hanguprequest, "Hangup": self._hangup,
        }  # fmt: skip

    def _newstate(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        if channel is not None:
            channel.rang |= message["ChannelState"] == _RINGING
            self._see_refusal(channel, message)

    def _dialstate(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message, "Dest")
        if channel is not None:
            channel.rang |= message["DialStatus"] == "RINGING"

    def _newcallerid(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        if channel is not None and self._book.home(channel).root is channel:
            self._parties.see_caller(self._book.home(channel), message)

    def _newexten(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        if channel is None or self._book.home(channel).root is not channel:
            return
        open_call = self._book.home(channel)
        self._parties.see_place(open_call, message)
        self._see_refusal(channel, message)
        data = message["AppData"]
        if message["Application"] == "Dial" and not open_call.aimed_at:
            open_call.aimed_at = dial_target(data)
        elif message["Application"] == "Playback" and data.split(",")[0].split("&")[0] == _NO_SERVICE:
            open_call.call.refused_as = open_call.call.refused_as or "invalid"

    def _see_refusal(self, channel: Channel, message: Message) -> None:
        call = self._book.home(channel).call
        if message["Context"] in _NO_SUCH_NUMBER and self._book.home(channel).root is channel:
            call.refused_as = call.refused_as or "invalid"

    def _varset(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        value = message["Value"]
        if channel is None or not value or self._book.home(channel).root is not channel:
            return
        call, variable = self._book.home(channel).call, message["Variable"].lstrip("_")
        if variable == "BLDEST":
            call.refused_as = "blocked"
        elif variable == "FROM_DID" and value != "s":
            call.did = value
        elif variable == "DIALSTATUS":
            call.hint = outcomes.of_variable(value) or call.hint

    def _rename(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        if channel is not None:
            channel.name = message["Newname"] or channel.name

    def _hanguprequest(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message)
        if channel is None or channel.gone or channel.is_local or message["ChannelStateDesc"] == "Busy":
            return  # "Busy": the dialplan itself ended the call, by Congestion() or Busy()
        open_call = self._book.home(channel)
        if channel is open_call.root:
            if channel.originated and not open_call.call.legs:
                return  # the phone that a click-to-call rang first refused
            open_call.call.ended_by = open_call.call.ended_by or "caller"
        elif open_call.call.answered_at is not None:
            open_call.call.ended_by = open_call.call.ended_by or "callee"

    def _hangup(self, message: Message, at: datetime) -> None:
        channel = self._book.find(message)
        if channel is None or channel.gone:
            return
        channel.gone = True
        self._book.touch(channel)
        open_call, cause = self._book.home(channel), message.number("Cause")
        call = open_call.call
        self._see_refusal(channel, message)
        if channel is open_call.root:
            call.cause = cause or call.cause
        if channel.forwarded or cause == _ANSWERED_ELSEWHERE:
            call.withdraw(channel.uid, at)
        elif channel.uid in call.legs or open_call.is_agent(channel):
            self._fail(open_call, channel, cause, message.number("TechCause"), at)

    def _fail(
        self, open_call: OpenCall, leg: Channel, cause: int | None, sip_code: int | None, at: datetime
    ) -> None:
        """Note why a leg failed, or a click-to-call's first phone: then nobody else was called."""
        is_trunk = self._parties.is_trunk(leg)
        status = outcomes.of_leg(leg, cause, sip_code, is_trunk=is_trunk)
        call = open_call.call
        if leg.uid in call.legs:
            given_up = outcomes.was_given_up(leg)
            call.fail(leg.uid, status, at, None if given_up else cause, None if given_up else sip_code)
        elif not outcomes.was_given_up(leg):
            call.hint, call.cause, call.sip_code = status, cause, sip_code
