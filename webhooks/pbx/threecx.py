"""3CX: the journal of its server-side CRM template, one POST a call, after its end.

The template is ours (templates/pbx/threecx.xml); its names are those of 3CX's template variables. 3CX has no
id of a call: when it began, who it was with and who had it are one call.
"""

from datetime import UTC, timedelta
from typing import Final

from webhooks.pbx.body import Body
from webhooks.pbx.calls import Party
from webhooks.pbx.finished import Finished, Told, digest, seconds_between

_CALL_TYPES: Final = {
    "INBOUND": "incoming_call ended",
    "OUTBOUND": "outgoing_call ended",
    "MISSED": "incoming_call missed",
    "NOTANSWERED": "outgoing_call no_answer",
    "UNANSWERED": "outgoing_call no_answer",  # as another author's template spells it
}


def translate(body: Body) -> Told:
    """Turn a journal entry into events. Raises InvalidEvent with the field."""
    if "number" not in body.values:
        raise body.fault("number", "is missing")
    number = body.text("number")  # empty where the caller hides it
    agent = body.text("agent")
    started_at = body.time("started_at", UTC)
    if started_at is None:
        raise body.fault("started_at", "is missing")
    type_, closing = body.word("call_type", _CALL_TYPES).split()
    talk_seconds = body.seconds("duration") if closing == "ended" else None
    answered_at = body.time("answered_at", UTC)
    ended_at = body.time("ended_at", UTC)
    if ended_at is None and talk_seconds is not None:
        ended_at = (answered_at or started_at) + timedelta(seconds=talk_seconds)
    outside, inside = Party(number, body.text("name")), Party(agent, body.text("agent_name"))
    incoming = type_ == "incoming_call"
    answered = closing == "ended"
    call = Finished(
        thread=f"3cx-{digest(f'{started_at.isoformat()} {agent} {number} {type_}')}",
        type=type_,
        caller=outside if incoming else inside,
        called=inside if incoming else outside,
        closing=closing,
        answered_at=answered_at if answered else None,
        ended_at=ended_at,
        more={
            "queue": body.text("queue"),
            "talk_seconds": talk_seconds,
            "ring_seconds": seconds_between(started_at, answered_at if answered else ended_at),
        },
    )
    return Told(body.text("call_type"), call.events())
