"""Grandstream UCM: the real-time output of its call records, JSON or XML, after a call's end.

The fields are those of Asterisk's CDR and some of its own. A call of several legs has several records, sent
one by one or nested (``main_cdr``, ``sub_cdr_1`` and on); ``session`` is what they share.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree

from webhooks.errors import Unreadable
from webhooks.pbx.body import Body, read_json
from webhooks.pbx.calls import Party
from webhooks.pbx.finished import Event, Finished, Site, Told, seconds_between, unanswered
from webhooks.pbx.unknown import UnknownWord, named

_DISPOSITIONS: Final = {word: word for word in ("ANSWERED", "NO ANSWER", "BUSY", "FAILED", "NOANSWER")}
_DIRECTIONS: Final = {"INBOUND": "incoming_call", "OUTBOUND": "outgoing_call", "INTERNAL": "internal"}
# What took the caller, where that is no person: the part of action_type before "[" or a digit.
_MACHINES: Final = ("IVR", "VM", "VOICEMAIL", "ANNOUNCEMENT", "VFAX", "FAX", "CONF", "DISA", "PLAYBACK")
_PEOPLE: Final = ("", "DIAL", "QUEUE", "RINGGROUP")
_SIDES: Final = ("", "EXT", *_DIRECTIONS)  # EXT: the trunks tell which way
_WORD: Final = re.compile(r"[A-Za-z]+")
_DEPTH: Final = 8  # levels of a nested body
_RECORDS: Final = 200  # of one body
_CLID_NAME: Final = re.compile(r'\s*"?([^"<]*)"?\s*<[^>]*>')


def read(body: bytes) -> Any:
    """Read a body, whatever its content type says: JSON, or XML. Raises Unreadable."""
    if body.lstrip()[:1] != b"<":
        return read_json(body)
    if b"<!" in body or b"\0" in body:  # in UTF-16 it would not be seen
        raise Unreadable("The body is XML with a document type, or in UTF-16, which no call record is.")
    try:
        return _value(ElementTree.fromstring(body), 0)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Unreadable(f"The body is not XML: {error}.") from None


def _value(element: ElementTree.Element, depth: int) -> Any:
    children = list(element)
    if not children:
        return element.text or ""
    if depth > _DEPTH:
        raise ValueError("too many levels")
    values: dict[str, Any] = {}
    for index, child in enumerate(children):
        # Records of a list have one name.
        name = child.tag if child.tag not in values else f"{child.tag}_{index}"
        values[name] = _value(child, depth + 1)
    return values


def translate(given: Any, site: Site) -> Told:
    """Turn one or several call records into events. Raises InvalidEvent with the field."""
    records = list(_records(given, "", 0))
    if not records:
        raise Body({}).fault("", "has no call record: an object with 'disposition', or a list of them")
    if len(records) > _RECORDS:
        raise Body({}).fault("", f"has more than {_RECORDS} call records")
    thread = ""
    events: list[Event] = []
    unknown: list[str] = []
    for record in records:
        thread = record.text("session") or thread  # the parts of a nested call follow its main record
        try:
            events += _record(record, thread, site)
        except UnknownWord as word:  # its call's other records may tell
            unknown.append(str(word))
        unknown += _unknown(record)
    return Told("cdr", later=events, unknown=unknown)


def _unknown(record: Body) -> Iterator[str]:
    """Name the words of a record that change nothing of what it tells, as far as we know."""
    side, action = record.text("userfield"), _action(record)
    if side.upper() not in _SIDES:
        yield named("userfield", side)
    if action not in (*_PEOPLE, *_MACHINES):
        yield named("action_type", action)


def _action(record: Body) -> str:
    """What took the caller: the word of ``action_type`` without its number."""
    word = _WORD.match(record.text("action_type").upper())
    return word[0] if word else ""


def _records(given: Any, place: str, depth: int) -> Iterator[Body]:
    """Find the call records in a body: each object that has a disposition."""
    if depth > _DEPTH:
        return
    if isinstance(given, list):
        for index, inner in enumerate(given):
            yield from _records(inner, f"{place}/{index}", depth + 1)
    elif isinstance(given, dict):
        lowered = {str(name).lower(): value for name, value in given.items()}
        if "disposition" in lowered:
            yield Body(lowered, place)
        for name, inner in given.items():
            if isinstance(inner, list | dict):
                yield from _records(inner, f"{place}/{name}", depth + 1)


def _record(record: Body, thread: str, site: Site) -> list[Event]:
    key = record.key("uniqueid") if not thread else Body({"session": thread}, record.place).key("session")
    disposition = record.word("disposition", _DISPOSITIONS)
    type_ = _type(record)
    internal = type_ == "internal"
    if internal and not site.internal:
        return []
    incoming = type_ == "incoming_call"
    action = _action(record)
    machine = action in _MACHINES
    reached = record.text("dstchannel_ext", "dstanswer") or record.text("dst")
    # A queue answers its caller; a person has him once there is a second channel.
    waited = action == "QUEUE" and not record.text("dstchannel")
    answered = disposition == "ANSWERED" and not machine and not waited
    answered_at, ended_at = record.time("answer", site.zone), record.time("end", site.zone)
    rang_until_at = ended_at if disposition in ("NO ANSWER", "NOANSWER") else None
    call = Finished(
        thread=key,
        type="outgoing_call" if internal else type_,
        caller=Party(record.text("src"), _caller_name(record)),
        called=Party(reached if incoming and answered else record.text("dst")),
        closing="ended" if answered else _closing(disposition, incoming),
        answered_at=answered_at if answered else None,
        ended_at=ended_at,
        more={
            "internal": internal or None,
            "trunk": record.text("src_trunk_name" if incoming else "dst_trunk_name"),
            "queue": record.text("action_owner") if action == "QUEUE" else "",
            "ring_seconds": seconds_between(
                record.time("start", site.zone), answered_at if answered else rang_until_at
            ),
            "talk_seconds": record.seconds("billsec") if answered else None,
        },
    )
    events = call.events()
    if action in ("VM", "VOICEMAIL") and disposition == "ANSWERED":
        events.append(call.media("voicemail", ""))
    names = [name.strip().rpartition("/")[2] for name in record.text("recordfiles").split("@")]
    events += [call.media("call_recording", name) for name in names if name]
    return events


def _type(record: Body) -> str:
    """Tell by ``userfield``, or where that is empty by the trunks, which way a call went."""
    known = _DIRECTIONS.get(record.text("userfield").upper())
    if known is not None:
        return known
    if record.text("src_trunk_name"):
        return "incoming_call"
    return "outgoing_call" if record.text("dst_trunk_name") else "internal"


def _caller_name(record: Body) -> str:
    name = record.text("caller_name")
    quoted = _CLID_NAME.fullmatch(record.text("clid"))
    return name or (quoted[1].strip() if quoted else "")


def _closing(disposition: str, incoming: bool) -> str:
    if disposition == "BUSY":
        return "busy"
    return "not_available" if disposition == "FAILED" else unanswered(incoming)
