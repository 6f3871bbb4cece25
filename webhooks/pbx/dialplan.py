"""A dialplan that tells of its calls itself: a few lines with Asterisk's CURL(), for where AMI cannot be had.

The lines are on the page; what they send is Asterisk's own: UNIQUEID, DIALSTATUS, HANGUPCAUSE.
"""

from typing import Final

from webhooks.pbx.body import Body
from webhooks.pbx.calls import Party
from webhooks.pbx.causes import DIALSTATUS, Q850, codes_of, status_of
from webhooks.pbx.finished import Finished, Told
from webhooks.pbx.unknown import unknown_words

_DIRECTIONS: Final = {"IN": "incoming_call", "OUT": "outgoing_call"}
_KNOWN: Final = {"dialstatus": codes_of(DIALSTATUS), "cause": codes_of(Q850)}


def translate(body: Body) -> Told:
    """Turn what the lines send into events. Raises InvalidEvent with the field."""
    thread = body.key("uniqueid")
    event = body.word("event", {"RINGING": "ringing", "ANSWERED": "answered", "ENDED": "ended"})
    type_ = body.word("direction", _DIRECTIONS)
    incoming = type_ == "incoming_call"
    word = body.text("dialstatus").upper()
    cause = body.text("cause")
    if event == "ended":
        # Empty: the caller hung up before Dial had an end, or there was none.
        closing = status_of(
            q850=cause if word != "ANSWER" else None, dialstatus=word or "CANCEL", incoming=incoming
        )
    call = Finished(
        thread=thread,
        type=type_,
        caller=Party(body.text("from"), body.text("name")),
        called=Party(body.text("to")),
        closing=closing if event == "ended" else event,
        more={
            "cause": int(cause) if event == "ended" and cause.isdecimal() and int(cause) else None,
            "ended_by": "caller" if event == "ended" and word == "CANCEL" else "",
        },
    )
    events = call.events() if event == "ended" else [call.event(event, None)]
    return Told(event, now=events, unknown=unknown_words(lambda name: body.text(name).upper(), _KNOWN))
