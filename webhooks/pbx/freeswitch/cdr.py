"""FreeSWITCH: the call records of mod_json_cdr, one POST a leg, after its end.

The caller's leg alone decides: it knows whether a bridge came about, and how the last try ended. What the
body is, its content type does not tell: FreeSWITCH sends raw JSON as a form, and base64 that no form decoder
may touch (mod_json_cdr.c).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from webhooks.errors import Unreadable
from webhooks.pbx.body import Body, read_object
from webhooks.pbx.calls import Party
from webhooks.pbx.causes import status_of
from webhooks.pbx.finished import Event, Finished, Site, Told, seconds_between, unanswered
from webhooks.pbx.freeswitch.hangups import CAUSES, STATUSES, UNANSWERED
from webhooks.pbx.unknown import unknown_words

_ESCAPED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_EXTENSION: Final = re.compile(r"[0-9]{2,6}")
_OUTSIDE: Final = re.compile(r"sofia/(gateway|external)")
_DIRECTIONS: Final = {"inbound": "incoming_call", "outbound": "outgoing_call", "local": "internal"}
_KNOWN: Final = {
    "hangup_cause": CAUSES, "originate_disposition": CAUSES, "call_direction": _DIRECTIONS,
}  # fmt: skip
_ENDED_BY: Final = {"recv_bye": "caller", "send_bye": "callee", "recv_cancel": "caller"}


def read(body: bytes) -> Body:
    """Read a record in any of the module's encodings. Raises Unreadable, InvalidEvent."""
    text = body.strip()
    if text.startswith(b"cdr="):
        text = text[4:]
        if text[:1] == b"%":
            text = unquote(text.decode("utf-8", "replace"), errors="replace").encode()
        elif text[:1] != b"{":
            try:
                text = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise Unreadable("The body is neither JSON, nor a form, nor base64 behind 'cdr='.") from None
    return read_object(text)


def translate(body: Body, site: Site) -> Told:
    """Turn a leg's record into events. Raises InvalidEvent with the field."""
    variables = body.inner("variables")
    variables.values = {name: _plain(value) for name, value in variables.values.items()}
    leg = variables.key("uuid", "call_uuid")
    thread = variables.key("call_uuid", "uuid")
    profiles = _profiles(body)
    called = variables.text("originating_leg_uuid") or any("originator" in one.values for one, _ in profiles)
    if thread != leg or called:
        return Told("b-leg")
    type_ = _type(body, variables)
    unknown = unknown_words(variables.text, _KNOWN)
    if type_ == "internal" and not site.internal:
        return Told("a-leg", unknown=unknown)
    return Told("a-leg", now=_call(body, variables, profiles, type_), unknown=unknown)


def _call(
    body: Body, variables: Body, profiles: list[tuple[Body, datetime | None]], type_: str
) -> list[Event]:
    incoming, internal = type_ == "incoming_call", type_ == "internal"
    first, last = profiles[0][0], profiles[-1][0]
    # A call that is transferred has a profile for each one it was with.
    had = [(profile, at) for profile, at in profiles if at is not None]
    taker = had[0][0] if had else last
    answered_at = had[0][1] if had else _bridged_at(variables, incoming)
    ended_at = _moment(variables, "end_epoch")
    given_up_at = None if _moment(variables, "answer_epoch") else ended_at  # a menu has no ringing
    dialled = first.text("destination_number") or variables.text("sip_to_user")
    agent = variables.text("cc_agent").partition("@")[0]
    reached = agent or taker.text("destination_number") or variables.text("dialed_user")
    code = _sip_code(variables)
    call = Finished(
        thread=variables.key("call_uuid", "uuid"),
        type="outgoing_call" if internal else type_,
        caller=Party(
            first.text("caller_id_number") or variables.text("sip_from_user"), first.text("caller_id_name")
        ),
        called=Party((reached if incoming else "") or dialled, taker.text("callee_id_name")),
        closing="ended" if answered_at else _closing(variables, code, incoming),
        answered_at=answered_at,
        ended_at=ended_at,
        more={
            "internal": internal or None,
            "did": dialled if incoming and reached != dialled else "",
            "queue": variables.text("cc_queue").partition("@")[0],
            "cause": variables.seconds("hangup_cause_q850"),
            "hangup_cause": variables.text("hangup_cause"),
            "sip_code": code if code is not None and code >= 300 else None,
            "ended_by": _ENDED_BY.get(variables.text("sip_hangup_disposition"), ""),
            "ring_seconds": seconds_between(_moment(variables, "start_epoch"), answered_at or given_up_at),
            "talk_seconds": seconds_between(answered_at, ended_at),
            "transferred_to": last.text("destination_number") if had and last is not had[0][0] else "",
        },
    )
    events = call.events()
    if (variables.seconds("voicemail_message_len") or 0) > 0:
        name = variables.text("voicemail_file_path").rpartition("/")[2]
        events.append(call.media("voicemail", name))
    for path in _recorded(body):
        events.append(call.media("call_recording", path.rpartition("/")[2], recording_path=path))
    return events


def _plain(value: Any) -> Any:
    """Undo the coding of one variable: the module writes each in percent signs (``encode-values``)."""
    if isinstance(value, str) and _ESCAPED.search(value):
        return unquote(value, errors="replace")
    return value


def _profiles(body: Body) -> list[tuple[Body, datetime | None]]:
    """The caller's profiles from the first to the last, each with the time of its bridge, if it had one."""
    flow = body.values.get("callflow")
    if isinstance(flow, dict):  # what JSON is made of the XML form of a record
        flow = [flow]
    if not isinstance(flow, list) or not flow:
        raise body.fault("callflow", "has to be a list of at least one profile")
    found: list[tuple[int, Body, datetime | None]] = []
    for index, one in enumerate(flow):
        if not isinstance(one, dict):
            raise body.fault(f"callflow/{index}", "has to be an object")
        outer = Body(one, f"/callflow/{index}")
        times = outer.inner("times") if "times" in one else Body({})
        number = outer.text("profile_index")
        place = (
            int(number) if number.isascii() and number.isdigit() and len(number) < 6 else len(flow) - index
        )
        found.append((place, outer.inner("caller_profile"), _moment(times, "bridged_time", 1_000_000)))
    return [(profile, at) for _, profile, at in sorted(found, key=lambda one: one[0])]


def _type(body: Body, variables: Body) -> str:
    """Tell which way a call went. FreeSWITCH's own direction is that into the switch: always inbound."""
    known = variables.text("call_direction")  # FusionPBX sets it
    if known in _DIRECTIONS:
        return _DIRECTIONS[known]
    inside = variables.text("user_name", "sip_auth_username") or variables.text("sip_authorized") == "true"
    if not inside:
        return "incoming_call"
    target = variables.text("bridge_channel") or _last_bridge(body)
    if target:
        return "outgoing_call" if _OUTSIDE.match(target) else "internal"
    dialled = variables.text("sip_to_user", "dialed_extension")
    return "outgoing_call" if dialled and not _EXTENSION.fullmatch(dialled) else "internal"


def _applications(body: Body) -> Iterator[tuple[str, str]]:
    """The dialplan's steps: name and data."""
    log = body.values.get("app_log")
    steps = log.get("applications") if isinstance(log, dict) else None
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict):
            one = Body(step, "/app_log/applications")
            yield one.text("app_name"), one.text("app_data")


def _last_bridge(body: Body) -> str:
    targets = [
        data.rpartition("]")[2].rpartition("}")[2] for name, data in _applications(body) if name == "bridge"
    ]
    return targets[-1] if targets else ""


def _recorded(body: Body) -> list[str]:
    return [data for name, data in _applications(body) if name == "record_session" and data]


def _bridged_at(variables: Body, incoming: bool) -> datetime | None:
    """When a person had the call, where no profile says so.

    An answer of the caller's own leg is none: menus, queues and mailboxes answer it. Only what goes out has
    no such before its far end.
    """
    names = ["bridge_epoch", "cc_queue_answered_epoch"] + ([] if incoming else ["answer_epoch"])
    return next((at for at in (_moment(variables, name) for name in names) if at is not None), None)


def _moment(values: Body, name: str, unit: int = 1) -> datetime | None:
    """Read a time: seconds since 1970, or ``unit`` parts of one. 0 is never."""
    text = values.text(name)
    if not text or text == "0":
        return None
    if not (text.isascii() and text.isdigit()) or int(text) // unit > 253_402_300_799:
        raise values.fault(name, "has to be a time since 1970")
    return datetime.fromtimestamp(int(text) / unit, UTC)


def _sip_code(variables: Body) -> int | None:
    for name in ("sip_term_status", "sip_invite_failure_status", "last_bridge_proto_specific_hangup_cause"):
        text = variables.text(name).removeprefix("sip:")
        if text.isascii() and text.isdigit() and len(text) == 3:
            return int(text)
    return None


def _closing(variables: Body, code: int | None, incoming: bool) -> str:
    """The status of a call that no person answered.

    The last try's cause goes before the caller's own, which the dialplan may have set to anything.
    """
    own, tried = variables.text("hangup_cause"), variables.text("originate_disposition")
    if variables.text("sip_603plus_reason"):
        return "blocked"
    if own == "ORIGINATOR_CANCEL" or _moment(variables, "answer_epoch"):
        return unanswered(incoming)  # gave up while it rang, or in a menu, a queue or a mailbox
    if code is not None and code >= 400 and code not in (487, 480, 408):
        return status_of(sip=code, incoming=incoming)
    cause = tried if tried not in ("", "SUCCESS") else own
    if cause in UNANSWERED:
        return unanswered(incoming)
    return STATUSES.get(cause, "not_available")
