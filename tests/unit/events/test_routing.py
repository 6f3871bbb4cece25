"""Which webhooks an event matches, and which location a token is of."""

import uuid
from typing import Any, cast

import pytest

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, MEDIA_TYPES
from webhooks.db.raw import RawConnection
from webhooks.errors import LocationPaused, Unauthorised
from webhooks.events.routing import Filter, RoutingTable, Subscription
from webhooks.events.schema import make_event
from webhooks.events.storage import wanted_by

Pair = tuple[str, str]

CALLS = {(type_, status) for type_ in CALL_TYPES for status in CALL_STATUSES}
MEDIA = {(type_, "") for type_ in MEDIA_TYPES}


def chosen(kind: str, types: str = "", statuses: str = "") -> Filter:
    return Filter(kind, frozenset(types.split()), frozenset(statuses.split()))


@pytest.mark.parametrize(
    ("filter_", "wanted"),
    [
        pytest.param(chosen("call"), CALLS, id="any-call"),
        *(
            pytest.param(chosen("call", type_), {(type_, s) for s in CALL_STATUSES}, id=type_)
            for type_ in CALL_TYPES
        ),
        *(
            pytest.param(chosen("call", "", status), {(t, status) for t in CALL_TYPES}, id=status)
            for status in CALL_STATUSES
        ),
        *(pytest.param(chosen("call", *call), {call}, id="-".join(call)) for call in sorted(CALLS)),
        pytest.param(
            chosen("call", "incoming_call", "missed busy no_answer"),
            {("incoming_call", status) for status in ("missed", "busy", "no_answer")},
            id="several-statuses",
        ),
        pytest.param(
            chosen("call", "incoming_call outgoing_call", "busy"),
            {(t, "busy") for t in CALL_TYPES},
            id="both-types",
        ),
        pytest.param(chosen("media"), MEDIA, id="any-media"),
        *(pytest.param(chosen("media", type_), {(type_, "")}, id=type_) for type_ in MEDIA_TYPES),
        pytest.param(chosen("media", "voicemail call_recording"), MEDIA, id="both-media"),
    ],
)
def test_a_choice_matches_what_it_names_and_nothing_else(filter_: Filter, wanted: set[Pair]) -> None:
    assert {event for event in CALLS | MEDIA if filter_.matches(*event)} == wanted


class Rows:
    """A connection that has these rows."""

    def __init__(self, locations: list[tuple[Any, ...]], webhooks: list[tuple[Any, ...]]) -> None:
        self._answers = [locations, webhooks]

    def rows(self, _sql: str) -> list[tuple[Any, ...]]:
        return self._answers.pop(0)


def table(locations: list[tuple[Any, ...]], *webhooks: tuple[Any, ...]) -> RoutingTable:
    return RoutingTable.read(cast(RawConnection, Rows(locations, list(webhooks))), 1)


LOCATIONS = [
    (1, b"token of 1", None, None, "active", 1000),
    (2, b"token of 2", None, None, "paused", 1000),
]


def test_a_token_leads_to_its_location() -> None:
    routing = table(LOCATIONS)
    assert routing.location(b"token of 1") == 1
    with pytest.raises(LocationPaused):
        routing.location(b"token of 2")
    with pytest.raises(Unauthorised):
        routing.location(b"token of 3")


def test_a_former_token_is_taken_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    routing = table([(1, b"new", b"old", 5000, "active", 1000)])
    monkeypatch.setattr("webhooks.events.routing.now_ms", lambda: 4999)
    assert routing.location(b"old") == routing.location(b"new") == 1
    monkeypatch.setattr("webhooks.events.routing.now_ms", lambda: 5000)
    assert routing.location(b"new") == 1
    with pytest.raises(Unauthorised):
        routing.location(b"old")


def test_webhooks_that_are_not_active_hold_what_they_match() -> None:
    routing = table(
        LOCATIONS,
        (5, 1, "call", "", "", "active"), (6, 1, "media", "", "", "paused"),
        (7, 1, "call", "incoming_call", "missed,busy", "disabled"), (8, 9, "call", "", "", "active"),
    )  # fmt: skip
    assert routing.subscriptions == {
        1: [
            Subscription(5, chosen("call"), False),
            Subscription(6, chosen("media"), True),
            Subscription(7, chosen("call", "incoming_call", "missed busy"), True),
        ],
        2: [],
    }


def test_a_test_event_is_for_its_webhook_alone() -> None:
    webhooks = [Subscription(number, chosen("call"), False) for number in (5, 6)]
    event = make_event({"type": "incoming_call", "subtype": "ringing"})
    assert [webhook.webhook_id for webhook in wanted_by(webhooks, None, event)] == [5, 6]
    assert [webhook.webhook_id for webhook in wanted_by(webhooks, 6, event)] == [6]


def test_each_location_has_a_namespace_of_its_own_that_stays() -> None:
    namespaces = table(LOCATIONS).namespaces
    assert namespaces[1] != namespaces[2]
    assert table([(1, b"another token", None, None, "paused", 1000)]).namespaces[1] == namespaces[1]
    assert table([(1, b"token of 1", None, None, "active", 1001)]).namespaces[1] != namespaces[1]
    # Of this text: were it another one day, PBXs' own ids would be new events.
    assert namespaces[1] == uuid.uuid5(uuid.NAMESPACE_OID, "location 1, 1000")
