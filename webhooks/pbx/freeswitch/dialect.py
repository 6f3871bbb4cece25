"""How a FreeSWITCH speaks to the process that listens to it (``webhooks/pbx/live.py``)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

from webhooks.pbx.esl import Framer, body, content_type, read_object, read_rows
from webhooks.pbx.freeswitch.hangups import CAUSES
from webhooks.pbx.freeswitch.message import Message as Read
from webhooks.pbx.freeswitch.options import FreeswitchOptions
from webhooks.pbx.freeswitch.translator import Translator
from webhooks.pbx.live import Dialect, Listing, Marks, Message
from webhooks.pbx.unknown import unknown_in

EVENTS: Final = (
    "CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY", "RECORD_STOP",
)  # fmt: skip
CUSTOM: Final = ("callcenter::info", "vm::maintenance")

# An event has up to 300 headers, passwords of callers among them. These are read, and no other is kept.
KEPT: Final = frozenset({
    "Event-Name", "Event-Subclass", "Event-Date-Timestamp", "Core-UUID", "Unique-ID", "Channel-Name",
    "Channel-Call-UUID", "Call-Direction", "Answer-State", "Hangup-Cause", "Caller-Caller-ID-Number",
    "Caller-Caller-ID-Name", "Caller-Callee-ID-Name", "Caller-Destination-Number", "Caller-Context",
    "Caller-Channel-Answered-Time", "Caller-Channel-Progress-Time", "Caller-Channel-Progress-Media-Time",
    "Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Other-Type", "Other-Leg-Unique-ID",
    "Other-Leg-Destination-Number", "Other-Leg-Channel-Answered-Time",
    "CC-Action", "CC-Queue", "CC-Agent", "CC-Agent-UUID", "CC-Member-Session-UUID", "Record-File-Path",
    "VM-Action", "VM-User", "VM-Caller-ID-Number", "VM-Caller-ID-Name", "VM-File-Path", "VM-Message-Len",
    "VM-UUID",
    *(f"variable_{name}" for name in (
        "originating_leg_uuid", "originator", "other_loopback_leg_uuid", "originated_legs", "cc_queue",
        "cc_agent", "cc_member_session_uuid", "user_name", "sip_auth_username", "sip_authorized",
        "call_direction", "dialed_user", "sip_gateway_name", "originate_disposition", "hangup_cause_q850",
        "sip_hangup_disposition", "sip_invite_failure_status", "sip_term_status",
        "proto_specific_hangup_cause", "sip_603plus_reason", "record_seconds",
    )),
})  # fmt: skip
_IDS: Final = (
    "Unique-ID", "Channel-Call-UUID", "Other-Leg-Unique-ID", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID",
    "CC-Agent-UUID", "CC-Member-Session-UUID", "variable_originating_leg_uuid", "variable_originator",
    "variable_other_loopback_leg_uuid", "variable_cc_member_session_uuid", "uuid", "call_uuid",
)  # fmt: skip
_LIST: Final = b'"row_count"'
_ROW_ID: Final = "uuid"
_KNOWN: Final = {
    "CHANNEL_HANGUP_COMPLETE": {
        "Hangup-Cause": CAUSES,
        "variable_originate_disposition": CAUSES,
        "variable_call_direction": ("inbound", "outbound", "local"),
    },
}


def is_wanted(raw: bytes) -> bool:
    """All that comes: FreeSWITCH sends what was asked for."""
    return bool(raw)


def listing(raw: bytes) -> Listing | None:
    """Read the answer to ``show channels as json``; None where it is another message."""
    if content_type(raw) != "api/response":
        return None
    answer = body(raw)
    if _LIST not in answer:
        return Listing(refused=True) if answer.startswith((b"-ERR", b"-USAGE")) else None
    rows = read_rows(answer) or ()
    channels = [json.dumps(row, ensure_ascii=False).encode() for row in rows if row.get(_ROW_ID)]
    return Listing(channels, begins=True, ends=True)


def event(raw: bytes) -> bytes | None:
    """The event that a message is, with what is read of it."""
    if content_type(raw) != "text/event-json":
        return None
    kept = {name: value for name, value in read_object(body(raw)) if name in KEPT}
    return json.dumps(kept, ensure_ascii=False).encode() if kept else None


def marks(kept: bytes) -> Marks:
    """Tell channels by their uuids, in events and in rows of a list."""
    found = Read(read_object(kept))
    own = found.first("Unique-ID", _ROW_ID)
    ids = [found[name].encode() for name in _IDS if found[name]]
    begins = found["Event-Name"] == "CHANNEL_CREATE" or bool(found[_ROW_ID])
    ends = found["Event-Name"] in ("CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY")
    return Marks(own.encode(), ids, begins, ends)


def began_at(ms: float, message: Message) -> datetime | None:
    """When a recording began, by the time in its first message."""
    missing = datetime.min.replace(tzinfo=UTC)
    sent_at = Read(message).sent_at(missing)
    return None if sent_at is missing else sent_at - timedelta(milliseconds=ms)


DIALECT: Final = Dialect(
    "freeswitch", "FreeSWITCH", Framer, is_wanted, listing, event, read_object, marks, FreeswitchOptions,
    Translator, began_at, lambda message: unknown_in(message, "Event-Name", _KNOWN),
    "Calls that begin or end while there is no connection cannot be found: FreeSWITCH does not list its "
    "channels. Load mod_commands, and let the event socket run “show”.",
)  # fmt: skip
