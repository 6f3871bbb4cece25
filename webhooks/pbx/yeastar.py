"""Yeastar P-Series: its webhook event push, and the flat call records of its older systems.

What a message is, ``type`` says: 30011 is a call's members as they are now, 30012 a call record, 30039 a
call's whole time line. One call may have several records; each has a view of its own (developer guide,
"Events and Responses").
"""

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from typing import Any, Final

from webhooks.errors import FieldError, InvalidEvent
from webhooks.pbx.body import Body
from webhooks.pbx.calls import Party
from webhooks.pbx.finished import Event, Finished, Site, Told, call_event, unanswered

_RINGING: Final = ("RING", "EARLYMEDIA")
_ANSWERED: Final = ("ANSWER", "ANSWERED", "HOLD")
_STATUSES: Final = {word: word for word in (
    "ANSWERED", "NO ANSWER", "BUSY", "VOICEMAIL", "ABANDONED", "FAILED",
)}  # fmt: skip
_TYPES: Final = {"INBOUND": "incoming_call", "OUTBOUND": "outgoing_call", "INTERNAL": "internal"}
_NAMED: Final = re.compile(r"(?P<name>[^<>]*)<(?P<number>[^<>]+)>")
# Where a caller is answered by no person; the call goes on in a record of its own.
_MACHINE: Final = re.compile(
    r"(?P<kind>IVR|queue|ring ?group|voicemail|conference|announcement)\b[ :]*(?P<number>[^<>]*)",
    re.IGNORECASE,
)
_SILENT: Final = {  # kinds that say nothing of a call that others do not say better
    "30005", "30006", "30007", "30008", "30009", "30010", "30013", "30014", "30015", "30016", "30018",
    "30033", "30034",
}  # fmt: skip


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether ``X-Signature`` is the body's: HMAC-SHA256 in base64."""
    right = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
    return hmac.compare_digest(right, signature.strip().encode("utf-8", "replace"))


def translate(body: Body, site: Site) -> Told:
    """Turn a message into events. Raises InvalidEvent with the field."""
    if "event" in body.values:
        return _older(body, site)
    kind = body.needed("type")
    if not (kind.isascii() and kind.isdigit()):
        raise body.fault("type", f"has to be a number such as 30012, not {kind[:60]!r}")
    if kind == "30011":
        return Told(kind, now=_live(body.inner("msg"), site))
    if kind in ("30012", "30039"):
        return Told(kind, later=_record(body.inner("msg"), site))
    return Told(kind, unknown=() if kind in _SILENT else [kind])


def _live(message: Body, site: Site) -> list[Event]:
    """What the members of a call tell: that it rings at somebody, or that somebody has it."""
    thread = message.key("call_id")
    extensions, inbound, outbound = _members(message)
    if inbound:
        type_, callees = "incoming_call", extensions
        caller = Party(inbound[0].text("from"))
    elif outbound:
        type_, callees = "outgoing_call", outbound
        caller = Party(extensions[0].text("number")) if extensions else Party(outbound[0].text("from"))
    elif site.internal and len(extensions) > 1:
        # The caller's own state is ALERT, then ANSWERED; a callee's is RING, then ANSWER.
        callers = [one for one in extensions if _state(one) in ("ALERT", "ANSWERED")] or extensions[:1]
        type_, caller = "outgoing_call", Party(callers[0].text("number"))
        callees = [one for one in extensions if one is not callers[0]]
    else:
        return []
    number = "to" if outbound and not inbound else "number"
    for status, words in (("answered", _ANSWERED), ("ringing", _RINGING)):
        found = next((one for one in callees if _state(one) in words), None)
        if found is not None:
            event = call_event(thread, type_, status, caller, Party(found.text(number)), None)
            return [event if inbound or outbound else event | {"internal": True}]
    return []


def _members(message: Body) -> tuple[list[Body], list[Body], list[Body]]:
    """The members of a call: extensions, trunks that it came by, trunks that it goes out by."""
    members = message.values.get("members")
    if not isinstance(members, list):
        raise message.fault("members", "has to be a list")
    found: dict[str, list[Body]] = {"extension": [], "inbound": [], "outbound": []}
    for index, member in enumerate(members):
        if not isinstance(member, dict) or not found.keys() & member.keys():
            raise message.fault(f"members/{index}", f"has to have one of {', '.join(found)}")
        outer = Body(member, f"{message.place}/members/{index}")
        for name in found.keys() & member.keys():
            found[name].append(outer.inner(name))
    return found["extension"], found["inbound"], found["outbound"]


def _state(member: Body) -> str:
    return member.needed("member_status").upper()


def _record(record: Body, site: Site) -> list[Event]:
    """What a call record tells."""
    thread = record.key("call_id")
    type_ = record.word("type", _TYPES)
    status = record.word("status", _STATUSES)
    start_at = record.time("time_start", site.zone)
    call_seconds, talk_seconds = record.seconds("call_duration"), record.seconds("talk_duration")
    machine = _MACHINE.match(record.text("call_to"))
    called = _party(record.text("call_to"))
    if machine and machine["number"].strip() and "<" not in record.text("call_to"):
        called = Party(machine["number"].strip(), called.number)
    caller = _party(record.text("call_from"))
    internal = type_ == "internal"
    if internal and not site.internal:
        return []
    incoming = type_ == "incoming_call"
    answered = status == "ANSWERED" and not machine
    rang = _ring_seconds(record.seconds("ring_duration"), call_seconds, talk_seconds if answered else None)
    call = Finished(
        thread=thread,
        type="outgoing_call" if internal else type_,
        caller=caller,
        called=called,
        closing="ended" if answered else _closing(status, incoming),
        answered_at=start_at + timedelta(seconds=rang) if start_at and rang is not None else None,
        ended_at=start_at + timedelta(seconds=call_seconds)
        if start_at and call_seconds is not None
        else None,
        more={
            "internal": internal or None,
            "did": record.text("did_number"),
            "trunk": record.text("src_trunk_name" if incoming else "dst_trunk_name"),
            "queue": called.number if machine and machine["kind"].lower() == "queue" else "",
            "ring_seconds": rang,
            "talk_seconds": talk_seconds if answered else None,
        },
    )
    events = call.events()
    if status == "VOICEMAIL":
        events.append(call.media("voicemail", ""))
    recording = record.text("recording")
    if recording:
        events.append(call.media("call_recording", recording.rpartition("/")[2]))
    return events


def _ring_seconds(told: int | None, call: int | None, talk: int | None) -> int | None:
    """How long it rang: as it is told, or of an answered call what was not talked."""
    if told is None and call is not None and talk is not None:
        return max(call - talk, 0)
    return told


def _closing(status: str, incoming: bool) -> str:
    if status == "BUSY":
        return "busy"
    return "not_available" if status == "FAILED" else unanswered(incoming)


def _party(text: str) -> Party:
    """Read "2005" or "Leo Ball<2005>"."""
    named = _NAMED.fullmatch(text)
    return Party(named["number"].strip(), named["name"].strip()) if named else Party(text)


_OLD_KEYS: Final = {  # the misspelt one is real
    "call_id": "callid", "time_start": "timestart", "call_from": "callfrom", "call_to": "callto",
    "call_duration": "callduraction", "talk_duration": "talkduraction", "status": "status", "type": "type",
    "src_trunk_name": "srctrunkname", "dst_trunk_name": "dsttrunkname", "recording": "recording",
    "ring_duration": "ringduration", "did_number": "didnumber",
}  # fmt: skip


def _older(body: Body, site: Site) -> Told:
    """Read the flat record of S-Series and Cloud PBX (API v2, event NewCdr)."""
    kind = body.needed("event")
    if kind != "NewCdr":
        return Told(kind, unknown=[kind])
    values: dict[str, Any] = {new: body.values[old] for new, old in _OLD_KEYS.items() if old in body.values}
    try:
        return Told(kind, later=_record(Body(values), site))
    except InvalidEvent as fault:
        theirs = [
            FieldError(f"/{_OLD_KEYS[error.pointer.strip('/')]}", error.detail) for error in fault.errors
        ]
        raise InvalidEvent(theirs) from None
