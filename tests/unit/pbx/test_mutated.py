"""Bodies with anything in any place: events that the hook takes, or a refusal; never a crash."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import InvalidEvent, Unreadable
from webhooks.events.schema import make_event
from webhooks.pbx import freeswitch, grandstream, threecx, yeastar
from webhooks.pbx.body import read_object
from webhooks.pbx.finished import Site, Told
from webhooks.pbx.merging import merge

SITE = Site(timezone(timedelta(hours=14)), internal=True)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        [
            "0001-01-01",
            "9999-12-31 23:59:59",
            "99999999999",
            "-1",
            "[x]",
            "a<b>",
            "\ud800",
            "1" * 1001,
            "1:2:3",
        ]
    )
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
RECORD = {
    "call_id": "1",
    "time_start": "2022-04-27 19:04:36",
    "call_from": "1",
    "call_to": "2",
    "call_duration": 24,
    "talk_duration": 21,
    "status": "ANSWERED",
    "type": "Inbound",
    "recording": "a.wav",
}
MEMBERS = [
    {"inbound": {"from": "1", "member_status": "ALERT"}},
    {"extension": {"number": "2", "member_status": "RING"}},
]
BODIES: dict[str, tuple[Callable[[bytes], Told], list[Any]]] = {
    "3cx": (
        lambda body: threecx.translate(read_object(body)),
        [{"call_type": "Inbound", "number": "1", "agent": "2", "duration": "00:00:09",
          "started_at": "2026-11-24T08:00:00Z",
          "answered_at": "2026-11-24T08:00:07Z", "ended_at": ""}],
    ),
    "yeastar": (
        lambda body: yeastar.translate(read_object(body), SITE),
        [{"type": 30012, "msg": RECORD}, {"type": 30011, "msg": {"call_id": "1", "members": MEMBERS}},
         {"event": "NewCdr", "callid": "1", "status": "BUSY", "type": "Inbound", "callduraction": "3"}],
    ),
    "grandstream": (
        lambda body: grandstream.translate(grandstream.read(body), SITE),
        [{"cdr_root": [{"main_cdr": {
            "disposition": "ANSWERED", "uniqueid": "1", "src": "1", "dst": "2",
            "start": "2026-02-01 10:30:00",
            "answer": "2026-02-01 10:30:05", "end": "2026-02-01 10:35:10", "billsec": "3",
            "userfield": "Inbound", "recordfiles": "a.wav@b.wav@"}}]}],
    ),
    "freeswitch": (
        lambda body: freeswitch.translate(freeswitch.read(body), SITE),
        [{"variables": {"uuid": "1", "end_epoch": "1520944164", "bridge_epoch": "1520944105"},
          "app_log": {"applications": [{"app_name": "record_session", "app_data": "/a.wav"}]},
          "callflow": [{"profile_index": "1", "times": {"bridged_time": "1520944105000000"},
                        "caller_profile": {"caller_id_number": "1", "destination_number": "2"}}]}],
    ),
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each place in a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.deepcopy(value)
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return value


@pytest.mark.parametrize("system", BODIES)
@given(data=st.data())
def test_a_body_with_anything_in_any_place_is_taken_or_refused(system: str, data: st.DataObject) -> None:
    translate, bodies = BODIES[system]
    body = data.draw(st.sampled_from(bodies))
    for _ in range(data.draw(st.integers(1, 3))):
        body = changed(body, data.draw(st.sampled_from(places(body))), data.draw(ANYTHING))
    try:
        told = translate(json.dumps(body).encode())
    except (InvalidEvent, Unreadable) as refusal:
        assert str(refusal)
        return
    for event in [*told.now, *told.later, *merge(told.later)]:
        make_event(json.loads(json.dumps(event)))


@pytest.mark.parametrize("system", BODIES)
def test_the_bodies_themselves_are_taken(system: str) -> None:
    translate, bodies = BODIES[system]
    for body in bodies:
        told = translate(json.dumps(body).encode())
        assert told.now or told.later
