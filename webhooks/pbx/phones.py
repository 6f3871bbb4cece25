"""Desk phones: Action URLs, one GET an event. The last resort, where the phone system itself tells nothing.

A phone says less than a phone system: no cause, and of an answer not even whether the call came in or went
out. What the other requests of the call said decides that. In a ring group each phone tells of the same call;
where they share its id, they are merged.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from webhooks.pbx.body import Body
from webhooks.pbx.calls import Party
from webhooks.pbx.finished import Told, call_event
from webhooks.pbx.unknown import UnknownWord

# The address's last word: (status, type). "" is as the call's earlier events have it.
EVENTS: Final[Mapping[str, tuple[str, str]]] = {
    "incoming": ("ringing", "incoming_call"),
    "outgoing": ("ringing", "outgoing_call"),
    "answered": ("answered", ""),
    "ended": ("ended", ""),
    "missed": ("missed", "incoming_call"),
    "rejected": ("rejected", "incoming_call"),
    "cancelled": ("no_answer", "outgoing_call"),
}
_SIP_URI: Final = re.compile(r"(?:sips?:)?([^@;>]*)", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\$[\w-]+")
_ELSEWHERE: Final = re.compile(r"cause *= *200|completed elsewhere", re.IGNORECASE)

EventsSoFar = Collection[tuple[str, str]]  # (type, status) of a call


def translate(event: str, query: Mapping[str, str], told: EventsSoFar) -> Told:
    """Turn a phone's request into an event.

    ``query`` has ``call`` (the call's id), ``local``, ``remote``, ``name`` and ``reason``; a variable that a
    phone did not fill in counts as empty. ``told`` are the events that this call had so far.

    Raises:
        InvalidEvent: a field that no such address has. UnknownWord: the event is none of these.
    """
    body = Body({name: "" if _VARIABLE.fullmatch(value) else value for name, value in query.items()})
    call = body.key("call")
    if event not in EVENTS:
        raise UnknownWord("event", event)
    status, type_ = EVENTS[event]
    if _ELSEWHERE.search(body.text("reason")):
        return Told(event)  # another phone of the group took the call
    type_ = type_ or next(iter(sorted({known for known, _ in told})), "incoming_call")
    outside = Party(_number(body.text("remote")), body.text("name"))
    inside = Party(_number(body.text("local")))
    incoming = type_ == "incoming_call"
    made = call_event(call, type_, status, *((outside, inside) if incoming else (inside, outside)), None)
    if status in ("ringing", "answered"):
        return Told(event, now=[made])
    return Told(event, later=[made])


def call_id(query: Mapping[str, str]) -> str:
    """Return the call's id. Raises InvalidEvent where there is none."""
    value = query.get("call", "")
    return Body({"call": "" if _VARIABLE.fullmatch(value) else value}).key("call")


def _number(uri: str) -> str:
    """Read "sip:5010@pbx.example", "5010@pbx.example" or "5010"."""
    found = _SIP_URI.match(uri.strip(' <"'))
    return found[1] if found else ""
