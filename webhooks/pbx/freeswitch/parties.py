"""Who calls whom: direction, numbers and names of a call, from what its channels show."""

from typing import Final

from webhooks.pbx.calls import Direction, Party
from webhooks.pbx.freeswitch.book import OpenCall
from webhooks.pbx.freeswitch.channels import Channel
from webhooks.pbx.freeswitch.message import Message
from webhooks.pbx.freeswitch.options import FreeswitchOptions

# What FreeSWITCH writes for a name or number that it does not know.
_NO_NAMES: Final = frozenset({"outbound call", "unknown", "anonymous", "_undef_"})
_TOLD: Final = {"inbound": Direction.INCOMING, "outbound": Direction.OUTGOING, "local": Direction.INTERNAL}


class Parties:
    """Reads the parties of calls by one site's options."""

    def __init__(self, options: FreeswitchOptions) -> None:
        self._options = options

    def is_trunk(self, channel: Channel) -> bool:
        """Tell whether a leg leads outside: by its gateway or profile, or by a technology of lines."""
        if channel.name.startswith(("freetdm/", "opal/", "khomp/")):
            return True
        return bool(channel.gateway) or self._options.is_trunk(channel.profile)

    def is_from_outside(self, root: Channel) -> bool:
        """Tell whether a call came in by a trunk. FreeSWITCH's own direction is that into the switch."""
        if root.told_direction in _TOLD:
            return _TOLD[root.told_direction] is Direction.INCOMING
        if root.outbound or root.is_user:
            return False
        if self._options.is_trunk_context(root.context) or self.is_trunk(root):
            return True
        return not self._options.is_internal(root.number)

    def see_leg(self, leg: Channel, message: Message) -> None:
        """Note who is at a leg. Its number may be a contact's random one, so the dialled user goes first."""
        if leg.party.number and not leg.unseen:
            name = _name(message["Caller-Callee-ID-Name"], leg.party.number)
            leg.party = Party(leg.party.number, leg.party.name or name)
            return
        if not leg.outbound:  # a phone that picked the call up: it is a caller itself
            leg.party = Party(_shown(leg.number), _name(leg.caller_name, leg.number))
            return
        agent = message["variable_cc_agent"].partition("@")[0]
        number = message.first("variable_dialed_user") if not self.is_trunk(leg) else ""
        if not number:
            number = agent if self._options.is_internal(agent) else leg.dialled.partition("@")[0]
        leg.party = Party(number, _name(message["Caller-Callee-ID-Name"], number))

    def decide(self, open_call: OpenCall, leg: Channel | None) -> None:
        """Settle direction, caller and destination once, by the first leg or, at the end, without one."""
        call, root = open_call.call, open_call.root
        if call.direction is not None or root.unseen or root.is_loopback:
            return
        told = _TOLD.get(root.told_direction)
        call.caller = Party(_shown(root.number), _name(root.caller_name, root.number))
        if self.is_from_outside(root):
            call.direction, call.did = Direction.INCOMING, root.dialled
            if self._options.is_internal(open_call.extension) and call.destination is None:
                call.destination = Party(open_call.extension)
        elif root.outbound:
            self._decide_click(open_call, leg)
        else:
            beyond = self.is_trunk(leg) if leg else not self._options.is_internal(root.dialled)
            call.direction = told or (Direction.OUTGOING if beyond else Direction.INTERNAL)
            call.destination = Party(root.dialled)

    def _decide_click(self, open_call: OpenCall, leg: Channel | None) -> None:
        """A call that FreeSWITCH itself began: the phone that it rang first is the caller."""
        if leg is None:
            return
        call, root = open_call.call, open_call.root
        call.direction = Direction.OUTGOING if self.is_trunk(leg) else Direction.INTERNAL
        call.caller, call.destination = root.party, leg.party


def _shown(number: str) -> str:
    """A caller's number, "" where it is withheld: a word in its place would match other such callers."""
    withheld = ("anonymous", "unknown", "restricted", "private", "withheld", "unavailable", "0000000000")
    return "" if number.lower() in withheld else number


def _name(name: str, number: str) -> str:
    return "" if name.lower() in _NO_NAMES or name == number else name
