"""A replay opens each delivery once, whatever becomes of it meanwhile."""

import uuid

import pytest
import sqlalchemy as sa
from appliance import Appliance

from webhooks.db.store import now_ms
from webhooks.outbox import replay
from webhooks.outbox.streams import RETRYING

_EVENT = sa.text("""
    INSERT INTO event (id, location_id, uid, message_id, thread_key, type, subtype, accepted_at, matched,
                       origin, body)
    VALUES (:id, :location, :uid, 'replayed', 'replayed', 'incoming_call', 'ringing', 1, 1, 'pbx', '{}')
""")
_DELIVERY = sa.text("""
    INSERT INTO delivery (id, event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    VALUES (:id, :id, :webhook, 'replayed', 'incoming_call', 'ringing', :state, 1, 1, 1, 1, 1)
""")
_TRIED = sa.text("""
    INSERT INTO attempt (delivery_id, n, started_at, milliseconds, status) VALUES (:id, :n, :now, 1, 200)
""")
_BECOMES = sa.text("UPDATE delivery SET state = :state, tries = 1, attempts = 2 WHERE id = :id")


class _Undo(Exception):
    pass


@pytest.mark.parametrize(("later", "state"), [("delivered", "delivered"), (RETRYING, "pending")])
def test_what_a_replay_opened_is_not_opened_again_in_its_next_state(
    appliance: Appliance, later: str, state: str
) -> None:
    office = f"Office {uuid.uuid4()}"
    appliance.location(office)
    webhook = appliance.webhook(office, "http://127.0.0.1:9/")["id"]
    failed, other = 2_000_000, 2_000_001
    store = appliance.app.extensions["spoke"].store
    with pytest.raises(_Undo), store.write() as session:  # nobody else is to work at it
        connection = session.connection()
        for id_, now in ((failed, "failed"), (other, state)):
            place = {"id": id_, "location": appliance.location_id(office), "uid": uuid.uuid4().bytes}
            connection.execute(_EVENT, place)
            connection.execute(_DELIVERY, {"id": id_, "webhook": webhook, "state": now})
            connection.execute(_TRIED, {"id": id_, "n": 1, "now": 1})
        number = replay.begin(connection, webhook, replay.Span(0, 1 << 60, ("failed", later)))
        assert replay.step(connection, number)
        connection.execute(_TRIED, {"id": failed, "n": 2, "now": now_ms()})
        connection.execute(_BECOMES, {"id": failed, "state": state})
        assert not replay.step(connection, number)
        row = connection.execute(sa.text("SELECT * FROM replay WHERE id = :id"), {"id": number}).one()
        assert (row.state, row.total, row.done) == ("done", 2, 2)
        raise _Undo
