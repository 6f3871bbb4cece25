"""A call's event as Zoho PhoneBridge wants to be told of it (callnotify). Pure.

Sources: https://www.zoho.com/phonebridge/developer/v3/, pages incoming-ringing, -answered, -missed and
outgoing-unattended. The pages for an end, and for outgoing calls that ring or are answered, are missing
there: what is said of those comes from other providers' notes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from webhooks.pbx.finished import CLOSING

RINGING_MS: Final = 120_000  # a call that began to ring longer ago is not announced any more
_DIRECTIONS: Final = {"incoming_call": "received", "outgoing_call": "dialed"}
# By Zoho's pages a received call is missed or ended, and nothing else.
_DIALED_STATES: Final = {"not_available": "notavailable", "no_answer": "noanswer", "missed": "noanswer"}
_LONGEST_S: Final = 30 * 86_400.0  # of a call; what is longer is an error of the phone system's
_UNKNOWN: Final = "anonymous"  # a party may not be left out


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a call that was accepted: its fields as receivers get them, and when that was."""

    fields: Mapping[str, Any]
    accepted_at: datetime

    @property
    def at(self) -> datetime:
        """When it happened, as its phone system says; else when it was accepted."""
        try:
            at = datetime.fromisoformat(str(self.fields["timestamp"]))
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        except (KeyError, ValueError):
            return self.accepted_at

    @classmethod
    def of(cls, body: str, accepted_ms: int) -> "Told":
        """Read an event's JSON text."""
        return cls(json.loads(body), datetime.fromtimestamp(accepted_ms / 1000, UTC))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a connection says of its notices.

    ``extensions`` leads from an extension to a user's id at Zoho. ``as_ended``: calls that nobody took are
    told as ended after no time, for accounts where Zoho refuses the other states.
    """

    extensions: Mapping[str, str]
    as_ended: bool = False


def is_too_late(event: Told, now: datetime) -> bool:
    """Whether it announces a call that has rung for long: a pop-up now would only mislead."""
    return event.fields.get("subtype") == "ringing" and now - event.accepted_at > timedelta(
        milliseconds=RINGING_MS
    )


def notice(event: Told, call: Sequence[Told], voice_link: str | None, wishes: Wishes) -> dict[str, str]:
    """Make the form of a notice.

    Args:
        call: the events of the same call, in order, as far as they were accepted.
        voice_link: where its recording or voicemail can be had.
    """
    fields = event.fields
    if fields["type"] in _DIRECTIONS:
        direction, status = _DIRECTIONS[fields["type"]], str(fields["subtype"])
        ends = event if status in CLOSING else None
    else:
        direction, status, ends = _of_recording(event, call, wishes)
    form = {
        "type": direction,
        "state": _state(direction, status, wishes),
        "id": str(fields["thread_id"]),
        "from": str(fields["from"]) or _UNKNOWN,
        "to": str(fields["to"]) or _UNKNOWN,
    }
    user = _user(direction, fields, wishes)
    if user:
        form["zohouser"] = user
    if ends is None:
        return form
    form["start_time"] = _gmt(_begin(ends, call))
    if form["state"] == "ended":
        form["duration"] = str(_talk_s(ends, call) if status == "ended" else 0)
    if voice_link:
        form["voiceuri"] = voice_link
    return form


def _of_recording(event: Told, call: Sequence[Told], wishes: Wishes) -> tuple[str, str, Told]:
    """Direction, status and end of the call that a recording or voicemail is of."""
    if event.fields["type"] == "voicemail":
        return "received", "missed", _end_of(call) or event
    types = [_DIRECTIONS[told.fields["type"]] for told in call]
    if types:
        direction = types[-1]
    else:  # nothing was told of the call itself: it was dialed where only its caller is one of us
        own = wishes.extensions
        outgoing = str(event.fields["from"]) in own and str(event.fields["to"]) not in own
        direction = "dialed" if outgoing else "received"
    return direction, "ended", _end_of(call) or event


def _end_of(call: Sequence[Told]) -> Told | None:
    return next((told for told in reversed(call) if told.fields["subtype"] in CLOSING), None)


def _state(direction: str, status: str, wishes: Wishes) -> str:
    if status not in CLOSING or status == "ended":
        return status
    if wishes.as_ended:
        return "ended"
    return "missed" if direction == "received" else _DIALED_STATES.get(status, status)


def _user(direction: str, fields: Mapping[str, Any], wishes: Wishes) -> str | None:
    """The user of Zoho whose phone it is; None where it is nobody's whom we know."""
    ends = ("answered_by", "to") if direction == "received" else ("from",)
    users = (wishes.extensions.get(str(fields.get(end, "")).strip()) for end in ends)
    return next(filter(None, users), None)


def _begin(end: Told, call: Sequence[Told]) -> datetime:
    """When the call began: with its first event; else as far back as its end says."""
    first = min((told.at for told in call), default=end.at)
    lasted_s = _seconds(end.fields.get("ring_seconds")) + _seconds(end.fields.get("talk_seconds"))
    try:
        return min(first, end.at - timedelta(seconds=lasted_s))
    except OverflowError:  # a timestamp of the year 1
        return first


def _talk_s(end: Told, call: Sequence[Told]) -> int:
    """How long they talked: as the end says it, else since the call was answered."""
    if "talk_seconds" in end.fields:
        return round(_seconds(end.fields["talk_seconds"]))
    answered = [told.at for told in call if told.fields["subtype"] == "answered"]
    return max(0, round((end.at - answered[0]).total_seconds())) if answered else 0


def _seconds(value: object) -> float:
    """A length of time that a phone system gave; 0 for what is none."""
    try:
        given = float(str(value))
    except ValueError:
        return 0.0
    return given if 0 <= given <= _LONGEST_S else 0.0


def _gmt(at: datetime) -> str:
    """The form that Zoho reads; it refuses ISO 8601."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
