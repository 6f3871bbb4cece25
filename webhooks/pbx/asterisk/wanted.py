"""Which messages the translator reads, told from their bytes. Most are others, and decoding takes the time.

A call of 98 messages has 55 ``VarSet``, of which a few are read.
"""

import re
from typing import Final

_EVENT: Final = b"Event: "
EVENTS: Final = frozenset(
    {
        "FullyBooted", "CoreShowChannel", "CoreShowChannelsComplete",
        "Newchannel", "Newstate", "NewCallerid", "Newexten", "VarSet", "Rename", "HangupRequest", "Hangup",
        "DialBegin", "DialState", "DialEnd", "AgentConnect", "QueueCallerJoin", "LocalBridge",
        "BridgeEnter", "BridgeLeave", "BlindTransfer", "AttendedTransfer", "ParkedCall",
    }
)  # fmt: skip
_NAMES: Final = frozenset(name.encode() for name in EVENTS)
_VARIABLE: Final = re.compile(rb"\r\nVariable: _*(?:BLDEST|FROM_DID|DIALSTATUS)\r\n", re.IGNORECASE)


def is_wanted(raw: bytes) -> bool:
    """Whether a message has to be decoded. So has one that does not begin with its name; all do so far."""
    if not raw.startswith(_EVENT):
        return True
    name = raw[len(_EVENT) : raw.find(b"\r\n")]
    return name in _NAMES and (name != b"VarSet" or _VARIABLE.search(raw) is not None)
