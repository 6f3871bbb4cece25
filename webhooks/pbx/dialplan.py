"""A dialplan that tells of its calls itself: a few lines with Asterisk's CURL(), for where AMI cannot be had.

The lines are on the page; what they send is Asterisk's own: UNIQUEID, DIALSTATUS, HANGUPCAUSE.
"""

from typing import Final

from webhooks.pbx.body import Body
from webhooks.pbx.calls import Party
from webhooks.pbx.causes import status_of
from webhooks.pbx.finished import Finished, Told

_DIRECTIONS: Final = {"IN": "incoming_call", "OUT": "outgoing_call"}
_WORDS: Final = (
    "ANSWER", "BUSY", "CANCEL", "CHANUNAVAIL", "CONGESTION", "DONTCALL", "INVALIDARGS", "NOANSWER", "TORTURE",
)  # fmt: skip


def translate(body: Body) -> Told:
    """Turn what the lines send into events. Raises InvalidEvent with the field."""
    event = body.word("event", {"RINGING": "ringing", "ANSWERED": "answered", "ENDED": "ended"})
    type_ = body.word("direction", _DIRECTIONS)
    incoming = type_ == "incoming_call"
    word = body.text("dialstatus").upper()
    if word and word not in _WORDS:
        raise body.fault("dialstatus", f"has to be one of {', '.join(_WORDS)}, or empty")
    cause = body.text("cause")
    if event == "ended":
        # Empty: the caller hung up before Dial had an end, or there was none.
        closing = status_of(
            q850=cause if word != "ANSWER" else None, dialstatus=word or "CANCEL", incoming=incoming
        )
    call = Finished(
        thread=body.key("uniqueid"),
        type=type_,
        caller=Party(body.text("from"), body.text("name")),
        called=Party(body.text("to")),
        closing=closing if event == "ended" else event,
        more={
            "cause": int(cause) if event == "ended" and cause.isdecimal() and int(cause) else None,
            "ended_by": "caller" if event == "ended" and word == "CANCEL" else "",
        },
    )
    if event != "ended":
        return Told(event, now=[call.event(event, None)])
    if closing != "ended":
        return Told(event, now=[call.event(closing, None)])
    return Told(event, now=call.events())
