"""Calls that wait for their records: decided once, by one of several processes, past refused rows."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from appliance import Appliance, Place, eventually
from pbx.test_doors import UCM, stored
from refusing import refusing

from webhooks.db.models import CallView
from webhooks.db.store import Store
from webhooks.events.intake import Intake
from webhooks.events.storage import Accepted
from webhooks.outbox.wakeup import Waker
from webhooks.services.waiting_calls import WaitingCalls

MISSED: dict[str, object] = {"type": "incoming_call", "subtype": "missed", "from": "+4930123", "to": "1001"}


class Decider:
    """One process's part of the work. ``stored`` has the calls that it decided; ``meanwhile`` runs before."""

    def __init__(self, one: Appliance, meanwhile: Callable[[], object] = lambda: None) -> None:
        services = one.app.extensions["spoke"]
        self.stored: list[str] = []
        outer = self

        class Watched(Intake):
            def submit(self, sender: bytes | int, events: list[Any], *more: Any) -> list[Accepted]:
                meanwhile()
                outer.stored += [event.thread_key for event in events]
                return super().submit(sender, events, *more)

        self.calls = WaitingCalls(services.store, Watched(services.store, Waker(services.settings)))


@pytest.fixture
def idle(start_appliance: Callable[..., Appliance]) -> Iterator[Appliance]:
    """An appliance of which no process runs, so that nobody else decides."""
    one = start_appliance(start=False)
    one.location("Office")
    yield one


def wait_in(one: Appliance, count: int) -> list[str]:
    """Let calls wait whose last record came a while ago; their names."""
    keys = [f"call-{number}" for number in range(count)]
    store: Store = one.app.extensions["spoke"].store
    with store.write() as session:
        session.add_all(
            CallView(
                location_id=one.location_id("Office"), thread_key=key, due_at=0,
                body=json.dumps(MISSED | {"id": f"{key}/missed", "thread_id": key}),
            )
            for key in keys
        )  # fmt: skip
    return keys


def left(one: Appliance) -> int:
    return int(one.rows("SELECT count(*) FROM call_view")[0][0])


def test_a_call_that_one_process_is_deciding_is_left_alone_by_the_other(idle: Appliance) -> None:
    (key,) = wait_in(idle, 1)
    begun, go_on = threading.Event(), threading.Event()

    def hesitate() -> None:
        begun.set()
        go_on.wait(30)

    first, second = Decider(idle, hesitate), Decider(idle)
    with ThreadPoolExecutor(1) as thread:
        settled = thread.submit(first.calls.settle)
        assert begun.wait(30)
        assert second.calls.settle() == 0 and second.stored == []
        go_on.set()
        assert settled.result() == 1
    assert first.stored == [key] and left(idle) == 0


def test_two_processes_at_once_decide_each_call_once(idle: Appliance) -> None:
    keys = wait_in(idle, 40)
    both = [Decider(idle), Decider(idle)]
    at_once = threading.Barrier(2)

    def settle(one: Decider) -> int:
        at_once.wait()
        return one.calls.settle()

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(settle, both)) == len(keys)
    assert sorted([*both[0].stored, *both[1].stored]) == sorted(keys) and left(idle) == 0


def test_a_call_is_not_decided_while_one_of_its_records_is_still_young(idle: Appliance) -> None:
    (key,) = wait_in(idle, 1)
    decider = Decider(idle)
    young = MISSED | {"id": f"{key}/busy", "thread_id": key, "subtype": "busy"}
    decider.calls.keep(idle.location_id("Office"), [(key, young)])
    assert decider.calls.settle() == 0 and left(idle) == 2
    with idle.app.extensions["spoke"].store.write() as session:
        session.execute(sa.text("UPDATE call_view SET due_at = 0"))
    assert decider.calls.settle() == 1 and left(idle) == 0


def test_an_event_that_the_database_refuses_is_set_aside_and_the_call_is_over(
    appliance: Appliance, place: Place
) -> None:
    name, token = place
    with refusing(appliance, "event", "INSERT", "NEW.thread_key = 'refused-1'"):
        for key in ("refused-1", "taken-1"):
            answer = appliance.post(f"/api/pbx/grandstream/t/{token}", json=UCM | {"uniqueid": key})
            assert answer.status_code == 202, answer.text
        eventually(lambda: stored(appliance, name) == [("incoming_call", "missed")])
        mine = "SELECT 1 FROM call_view JOIN location ON location.id = location_id WHERE name = :name"
        eventually(lambda: not appliance.rows(mine, name=name))
    assert "event set aside" in appliance.log and "refused by a trigger" in appliance.log
