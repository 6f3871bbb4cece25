"""Who calls whom: direction, numbers and names of a call, from what its channels show."""

import re
from typing import Final

from webhooks.pbx.asterisk.book import OpenCall, target_number
from webhooks.pbx.asterisk.channels import Channel
from webhooks.pbx.asterisk.message import Message
from webhooks.pbx.asterisk.options import AsteriskOptions
from webhooks.pbx.calls import Direction, Party

# FreePBX's contexts whose "extensions" number menus, rules and messages, not phones, groups or queues.
_NO_PLACE: Final = re.compile(
    r"(timeconditions|app-|ivr-|ext-miscdests|ext-callflow|disa|queueprio|macro-|sub-|func-|vmblast|callrecording"
    r"|customdests|parkedcalls|park-)"
)


class Parties:
    """Reads the parties of calls by one site's options. It learns the names of trunks as it sees them."""

    def __init__(self, options: AsteriskOptions) -> None:
        self._options = options
        self._trunks = set(options.trunks)

    def is_trunk(self, channel: Channel) -> bool:
        """Tell whether a channel leads outside. One that we found in mid-call shows a context of later on."""
        endpoint = channel.endpoint
        if endpoint in self._trunks:
            return True
        if channel.adopted:
            is_internal = self._options.is_internal
            return not is_internal(endpoint) and not is_internal(channel.number)
        if self._options.is_trunk_context(channel.context) and not channel.is_local:
            self._trunks.add(endpoint)
            return True
        return False

    def comes_from_outside(self, open_call: OpenCall) -> bool:
        """Tell whether a call came in by a trunk. A click that makes Asterisk call a phone first is none."""
        root = open_call.root
        return not root.is_local and not root.originated and self.is_trunk(root)

    def of_leg(self, leg: Channel, message: Message) -> Party:
        """Who is at a dialled leg: a number outside on a trunk, else an extension with its name."""
        if self.is_trunk(leg):
            return Party(target_number(message["DialString"]) or leg.number)
        return self.of_phone(leg, message["DestCallerIDNum"])

    def of_phone(self, phone: Channel, shown: str = "") -> Party:
        """A phone's extension and name. What it shows its user may be the far number, so that goes last."""
        own = [number for number in (phone.number, phone.endpoint) if self._options.is_internal(number)]
        number = next(iter([*own, *filter(None, (shown, phone.number, phone.endpoint))]), "")
        return Party(number, phone.caller_name)

    def of_adopted(self, leg: Channel, dialled: str) -> Party:
        """Who is at a leg that was dialled before we listened. On a trunk, Dial() was given ``dialled``."""
        return Party(dialled) if self.is_trunk(leg) else self.of_phone(leg)

    def see_caller(self, open_call: OpenCall, message: Message) -> None:
        """Take the caller's new id: a name that was looked up, or an extension in place of an account."""
        call, number = open_call.call, message["CallerIDNum"]
        inside = not self.comes_from_outside(open_call)
        is_internal = self._options.is_internal
        if open_call.root.originated or call.is_told_of:
            return
        if inside and is_internal(number) and not is_internal(open_call.root.number):
            open_call.root.number = number
            call.caller = Party(number, message["CallerIDName"])
        elif number == open_call.root.number and message["CallerIDName"]:
            call.caller = Party(call.caller.number, message["CallerIDName"])

    def see_place(self, open_call: OpenCall, message: Message) -> None:
        """Note where the dialplan took the caller, if that is an extension, a group or a queue."""
        place = message["Extension"] or message["Exten"]
        context = message["Context"]
        if (
            not open_call.call.is_told_of
            and self._options.is_internal(place)
            and not _NO_PLACE.match(context)
            and not self._options.is_trunk_context(context)
        ):
            open_call.extension = place

    def decide(self, open_call: OpenCall, leg: Channel | None) -> None:
        """Settle direction, caller and destination once, by the first leg or, at the end, without one."""
        call = open_call.call
        if call.direction is not None or open_call.root.unseen:
            return
        if self.comes_from_outside(open_call):
            call.direction = Direction.INCOMING
            if open_call.extension and call.destination is None:
                call.destination = Party(open_call.extension)
            return
        if not open_call.root.is_local:
            call.caller = Party(self.of_phone(open_call.root).number, call.caller.name)
        # What a click-to-call's first channel "dialled" is the phone of the one who clicked.
        dialled = "" if open_call.root.is_local or open_call.root.originated else open_call.dialled
        sent = leg.party.number if leg else ""
        if leg is not None:
            by_root = leg.dialled_by is open_call.root
            outside = self.is_trunk(leg) and (by_root or not self._options.is_internal(dialled))
        else:
            called = open_call.extension or open_call.aimed_at or dialled
            outside = call.refused_as == "invalid" or not (call.queue or self._options.is_internal(called))
        call.direction = Direction.OUTGOING if outside else Direction.INTERNAL
        if call.destination is None:
            if outside:
                number = self._options.without_prefix(dialled, sent) if dialled else sent
            else:
                number = open_call.extension or open_call.aimed_at or dialled or sent
            call.destination = Party(number)
