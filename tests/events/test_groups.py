"""Several requests in one transaction: what one of them brings costs the others nothing."""

import contextlib
import uuid
from typing import Any

import pytest
from appliance import Appliance, Place
from refusing import refusing

from webhooks.errors import RowRefused, SpokeError, Unauthorised
from webhooks.events.group import store_group
from webhooks.events.routing import RoutingTable
from webhooks.events.schema import IncomingEvent, make_event
from webhooks.events.storage import Accepted
from webhooks.events.submission import Submission


def _event(id_: str | None = None, **fields: Any) -> IncomingEvent:
    given = {"type": "incoming_call", "subtype": "ringing", "id": id_ or str(uuid.uuid4()), **fields}
    return make_event(given)


def _store(appliance: Appliance, group: list[Submission]) -> list[list[Accepted] | SpokeError | None]:
    with appliance.app.extensions["spoke"].store.direct() as direct:
        return store_group(direct, RoutingTable.read(direct, 0), group)


def _told(answers: list[list[Accepted] | SpokeError | None]) -> list[object]:
    """Of each event whether it was there already, or what went wrong with the request."""
    return [
        [one.duplicate for one in answer] if isinstance(answer, list) else type(answer) for answer in answers
    ]


def _rows(appliance: Appliance, location_id: int) -> list[Any]:
    return appliance.rows(
        "SELECT uid, message_id, event.thread_key, event.type, event.subtype, matched, origin, body, "
        "accepted_at, webhook_id, delivery.thread_key AS key, delivery.type AS kind, "
        "delivery.subtype AS status, state, due_at, created_at, claims + tries + attempts AS begun "
        "FROM event LEFT JOIN delivery ON delivery.event_id = event.id WHERE location_id = :location "
        "ORDER BY event.id, webhook_id",
        location=location_id,
    )


def test_a_group_is_stored_with_all_that_belongs_to_it(appliance: Appliance, place: Place) -> None:
    location_id = appliance.location_id(place[0])
    active = appliance.webhook(place[0], "http://127.0.0.1:9/active")["id"]
    paused = appliance.webhook(place[0], "http://127.0.0.1:9/paused")["id"]
    appliance.cli("webhook", "pause", active)  # nothing is to be sent while this looks at the rows
    appliance.cli("webhook", "pause", paused)
    events = [_event(thread_id="a call"), _event(type="voicemail", subtype=""), _event(subtype="ended")]
    group = [Submission(location_id, events[:2], "pbx"), Submission(location_id, events[2:], "test", active)]
    answers = _store(appliance, group)
    assert answers == [[Accepted(events[0].id, 2, False), Accepted(events[1].id, 0, False)],
                       [Accepted(events[2].id, 1, False)]]  # fmt: skip
    expected = [(events[0], active, "pbx", 2), (events[0], paused, "pbx", 2), (events[1], None, "pbx", 0),
                (events[2], active, "test", 1)]  # fmt: skip
    for row, (event, webhook, origin, matched) in zip(_rows(appliance, location_id), expected, strict=True):
        assert (bytes(row.uid), row.message_id, row.thread_key) == (event.uid, event.id, event.thread_key)
        assert (row.type, row.subtype, row.body) == (event.type, event.subtype, event.body)
        assert (row.matched, row.origin, row.webhook_id) == (matched, origin, webhook)
        if webhook is not None:
            assert (row.key, row.kind, row.status) == (event.thread_key, event.type, event.subtype)
            assert (row.state, row.begun) == ("held", 0) and row.due_at == row.created_at == row.accepted_at


@pytest.mark.parametrize("trouble", ["twin", "known", "other status", "refused", "gone"])
def test_whatever_comes_along_the_others_are_stored(appliance: Appliance, place: Place, trouble: str) -> None:
    location_id = appliance.location_id(place[0])
    appliance.cli("webhook", "pause", appliance.webhook(place[0], "http://127.0.0.1:9/")["id"])
    first, last = _event(), _event()
    known = _event()
    _store(appliance, [Submission(location_id, [known], "pbx")])
    odd = {
        "twin": _event(first.id),
        "known": known,
        "other status": _event(first.id, subtype="ended"),
        "refused": _event(thread_id=f"refused {first.id}"),
    }.get(trouble, _event())
    group = [
        Submission(location_id, [first], "pbx"),
        Submission(location_id, [odd], "pbx"),
        Submission(location_id, [last], "pbx"),
    ]
    if trouble == "gone":
        group[1].sender = 1 << 40
    when = f"NEW.thread_key = 'refused {first.id}'"
    with (
        refusing(appliance, "delivery", "INSERT", when) if trouble == "refused" else contextlib.nullcontext()
    ):
        answers = _store(appliance, group)
    middle = {"twin": [True], "known": [True], "refused": RowRefused, "gone": Unauthorised}
    assert _told(answers) == [[False], middle.get(trouble, [False]), [False]]
    kept = [row.message_id for row in _rows(appliance, location_id)]
    derived = str(uuid.uuid5(uuid.UUID(first.id), "incoming_call/ended"))
    between = [derived] if trouble == "other status" else []
    assert kept == [known.id, first.id, *between, last.id]
