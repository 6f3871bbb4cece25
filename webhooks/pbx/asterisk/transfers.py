"""Calls that are handed on: transferred, or parked."""

from datetime import datetime

from webhooks.pbx.asterisk.book import Book
from webhooks.pbx.asterisk.dials import Dials
from webhooks.pbx.asterisk.facts import Handler
from webhooks.pbx.asterisk.message import Message


class Transfers:
    """Notes transfers, and joins the call of a consultation with the one that it was about."""

    def __init__(self, book: Book, dials: Dials) -> None:
        self._book = book
        self._dials = dials
        self.handlers: dict[str, Handler] = {
            "BlindTransfer": self._blindtransfer, "AttendedTransfer": self._attendedtransfer,
            "ParkedCall": self._parkedcall,
        }  # fmt: skip

    def _blindtransfer(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message, "Transferer")
        if channel is not None and not channel.gone and message["Result"] == "Success":
            open_call = self._book.home(channel)
            open_call.transferring = True
            open_call.call.ended_by = None  # who hands a call on hangs up, and does not end it

    def _parkedcall(self, message: Message, _at: datetime) -> None:
        channel = self._book.find(message, "Parkee")
        if channel is not None:
            self._book.home(channel).transferring = False

    def _attendedtransfer(self, message: Message, _at: datetime) -> None:
        first, second = (self._book.find(message, f"{which}Transferer") for which in ("Orig", "Second"))
        if first is None or second is None or message["Result"] != "Success":
            return
        if first.gone and second.gone:  # it comes again
            return
        target = self._book.find(message, "TransferTarget")
        homes = sorted({self._book.home(first), self._book.home(second)}, key=lambda call: call.serial)
        stays, ends = homes[0], homes[-1]
        stays.transferring = True
        stays.call.ended_by = None
        if ends is not stays:
            stays.call.related, ends.call.related = ends.call.thread_id, stays.call.thread_id
            for channel in [c for c in ends.channels.values() if c not in (first, second)]:
                self._book.move(channel, stays)
        if target is not None:
            self._dials.handed_to(stays, target)
        elif (
            ends is not stays and ends.call.answered_by
        ):  # Asterisk names no target where the caller hands on
            self._dials.handed_to_party(stays, ends.call.answered_by.party)
