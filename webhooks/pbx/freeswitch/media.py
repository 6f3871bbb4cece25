"""Recordings and voicemails: what FreeSWITCH tells of a file that it has written, as an event of its own.

By reference: an event that comes over this connection brings no file, which lies at the phone system. The
event has the file's name and path there; a system on the same machine may post it with ``media_path``.
"""

import uuid
from typing import Final

from webhooks.pbx.calls import Call
from webhooks.pbx.freeswitch.book import Event
from webhooks.pbx.freeswitch.message import Message

_LEFT: Final = "leave-message"


def recording(message: Message) -> Event | None:
    """Read RECORD_STOP. The parties are not known yet: see ``of_call``."""
    path = message["Record-File-Path"]
    return _event("call_recording", path, message.first("variable_record_seconds")) if path else None


def voicemail(message: Message) -> Event | None:
    """Read what mod_voicemail tells of a box; None where no message was left."""
    path = message["VM-File-Path"]
    if message["VM-Action"] != _LEFT or not path:
        return None
    event = _event("voicemail", path, message["VM-Message-Len"])
    return event | {"from": message["VM-Caller-ID-Number"], "from_name": _name(message),
                    "to": message["VM-User"], "to_name": ""}  # fmt: skip


def of_call(event: Event, call: Call) -> Event:
    """Give an event its call: thread, parties and an id. A voicemail's parties are its own."""
    called = call.party_called()
    parties: Event = {
        "to": called.number, "from": call.caller.number,
        "to_name": called.name, "from_name": call.caller.name,
    }  # fmt: skip
    return _with_id(parties | event, call.thread_id)


def alone(event: Event, message: Message) -> Event:
    """Give an event without a call a thread: the message's own id, as where a box was filled by hand."""
    name = message.first("VM-UUID", "Unique-ID") or str(event["recording_path"])
    try:
        thread = uuid.UUID(name)
    except ValueError:
        thread = uuid.uuid5(uuid.NAMESPACE_URL, name)
    return _with_id(event, thread)


def _event(type_: str, path: str, seconds: str) -> Event:
    event: Event = {"type": type_, "filename": path.rpartition("/")[2], "recording_path": path}
    if seconds.isascii() and seconds.isdigit() and len(seconds) < 7:
        event["recording_seconds"] = int(seconds)
    return event


def _with_id(event: Event, thread: uuid.UUID) -> Event:
    id_ = uuid.uuid5(thread, f"{event['type']}/{event['recording_path']}")
    return {"id": str(id_), "thread_id": str(thread), **event}


def _name(message: Message) -> str:
    name = message["VM-Caller-ID-Name"]
    return "" if name == message["VM-Caller-ID-Number"] else name
