"""How an Asterisk speaks to the process that listens to it (``webhooks/pbx/live.py``)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from webhooks.pbx.ami import Framer, decode, field
from webhooks.pbx.asterisk.options import AsteriskOptions
from webhooks.pbx.asterisk.translator import Translator
from webhooks.pbx.asterisk.wanted import is_wanted
from webhooks.pbx.causes import DIALSTATUS, Q850, codes_of
from webhooks.pbx.live import Dialect, Listing, Marks, Message
from webhooks.pbx.unknown import unknown_in

LIST_ID: Final = "spoke-channels"  # the ActionID of our question for the channels
_LIST_ID: Final = LIST_ID.encode()
_EVENT: Final = b"Event: "
_IDS: Final = re.compile(rb"(?:Uniqueid|Linkedid): ([^\r\n]+)")
_OWN_ID: Final = re.compile(rb"\nUniqueid: ([^\r\n]+)")
_BEGINS: Final = (b"Event: Newchannel\r", b"Event: CoreShowChannel\r")
_ENDS: Final = b"Event: Hangup\r"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Final = frozenset(map(str, range(11)))  # channel.h, enum ast_channel_state
_SUBROUTINE: Final = ("ABORT", "CONTINUE")  # of Dial's options U and M: no answer (dial.c)
_KNOWN: Final = {
    "Newchannel": {"ChannelState": _STATES},
    "Newstate": {"ChannelState": _STATES},
    "DialEnd": {"DialStatus": codes_of(DIALSTATUS).union(_SUBROUTINE)},
    "Hangup": {"Cause": codes_of(Q850)},
}
_UNIQUEID: Final = re.compile(r"(?:.*-)?(\d{9,11})\.\d+")  # a system's name may stand before it


def listing(raw: bytes) -> Listing | None:
    """Read a message of the answer to CoreShowChannels; None where it is another one."""
    if _LIST_ID not in raw:
        return None
    message = decode(raw)
    if field(message, "ActionID") != LIST_ID:  # it stands in a name
        return None
    name = field(message, "Event")
    if name == "CoreShowChannel":
        return Listing([raw])
    response = field(message, "Response")
    return Listing(
        begins=response == "Success", ends=name == "CoreShowChannelsComplete", refused=response == "Error"
    )


def event(raw: bytes) -> bytes | None:
    """The message itself, where it is an event."""
    return raw if raw.startswith(_EVENT) else None


def marks(raw: bytes) -> Marks:
    """Tell channels by the keys that end in ``Uniqueid`` or ``Linkedid``."""
    found = _OWN_ID.search(raw)
    return Marks(
        found[1] if found else b"", _IDS.findall(raw), raw.startswith(_BEGINS), raw.startswith(_ENDS)
    )


def began_at(ms: float, message: Message) -> datetime | None:
    """When a recording began, by a message of a channel that is made: its Uniqueid has the second."""
    found = dict(message)
    uniqueid = _UNIQUEID.fullmatch(found.get("Uniqueid", ""))
    if found.get("Event") != "Newchannel" or uniqueid is None:
        return None
    return _EPOCH + timedelta(seconds=int(uniqueid[1]), milliseconds=-ms)


DIALECT: Final = Dialect(
    "asterisk", "Asterisk", Framer, is_wanted, listing, event, decode, marks, AsteriskOptions, Translator,
    began_at, lambda message: unknown_in(message, "Event", _KNOWN),
    "Calls that begin or end while there is no connection cannot be found: the user may not list channels. "
    "Give it write = reporting.",
)  # fmt: skip
