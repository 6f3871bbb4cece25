"""One row that the database refuses fails alone: on its way out, on its way back, in every batch."""

import contextlib
import threading
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from appliance import Appliance, Place, eventually
from receiver import Receiver
from refusing import refusing

from webhooks.db import row_errors
from webhooks.events import indexer
from webhooks.outbound.sender import Outcome
from webhooks.retention.purge import purge
from webhooks.retention.removal import remove_events


def balanced(appliance: Appliance) -> bool:
    sums = appliance.rows("""
        SELECT (SELECT coalesce(sum(matched), 0) FROM event) AS matched, (SELECT count(*) FROM delivery) AS n,
               (SELECT count(*) FROM delivery WHERE state NOT IN
                ('pending', 'held', 'delivered', 'failed', 'expired', 'dropped')) AS strange
    """)[0]
    return bool(sums.matched == sums.n and not sums.strange)


def rows(appliance: Appliance, webhook: int) -> list[Any]:
    return appliance.rows(
        "SELECT id, state, reason, attempts, event_id FROM delivery WHERE webhook_id = :w ORDER BY id",
        w=webhook,
    )


def post_batch(appliance: Appliance, token: str, count: int = 1) -> None:
    batch = [{"type": "incoming_call", "subtype": "ringing", "thread_id": str(uuid.uuid4())}] * count
    batch = [{**one, "thread_id": str(uuid.uuid4())} for one in batch]
    answer = appliance.post("/api/events", json=batch, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 202, answer.text


def workers(appliance: Appliance) -> set[int]:
    return {one.pid for one in appliance.named("worker-")}


def test_what_is_refused_on_its_way_back_and_out_fails_alone(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """An attempt's row that cannot be written, and a delivery's row that takes no change at all."""
    webhook = appliance.webhook(place[0], receiver.url("/ill"))["id"]
    well = appliance.webhook(place[0], receiver.url("/well"))["id"]
    appliance.cli("webhook", "pause", webhook)
    post_batch(appliance, place[1], 5)
    held = rows(appliance, webhook)
    assert [one.state for one in held] == ["held"] * 5
    before = workers(appliance)
    unlogged, stuck = held[1].id, held[3].id
    with (
        refusing(appliance, "attempt", "INSERT", f"NEW.delivery_id = {unlogged} AND NEW.n > 0"),
        refusing(appliance, "delivery", "UPDATE", f"OLD.id = {stuck} AND OLD.state = 'pending'"),
    ):
        appliance.cli("webhook", "resume", webhook)
        eventually(lambda: [one.state for one in rows(appliance, webhook)].count("delivered") == 4)
        said = eventually(lambda: appliance.rows("SELECT * FROM attempt WHERE delivery_id = :d", d=stuck))
        assert "refused by a trigger" in said[0].error and said[0].n == 0
        post_batch(appliance, place[1], 3)
        eventually(lambda: [one.state for one in rows(appliance, webhook)].count("delivered") == 7)
        found = {one.id: one for one in rows(appliance, webhook)}
        assert found[unlogged].state == "delivered" and "refused by a trigger" in found[unlogged].reason
        assert found[stuck].state == "pending"
        assert balanced(appliance) and workers(appliance) == before
    got = receiver.at("/ill")
    assert len(got) == len({one.webhook_id for one in got}) == 7, "none came twice"
    eventually(lambda: [one.state for one in rows(appliance, well)] == ["delivered"] * 8)
    assert len(receiver.at("/well")) == 8


def test_a_value_that_the_database_refuses_is_left_out_and_the_attempt_counts(appliance: Appliance) -> None:
    """An outcome with NUL and a lone surrogate in it, past all cleaning; its neighbours are as they were."""
    from webhooks.dispatcher.lane import Lane
    from webhooks.dispatcher.settler import Settler
    from webhooks.dispatcher.task import Report, Task, TaskKind
    from webhooks.dispatcher.timers import Timers
    from webhooks.outbox.rows import ClaimedRow

    store = appliance.app.extensions["spoke"].store
    name = f"Values {uuid.uuid4().hex[:6]}"
    token = appliance.location(name)
    webhook = appliance.webhook(name, "http://127.0.0.1:9/")["id"]
    appliance.cli("webhook", "pause", webhook)
    post_batch(appliance, token, 3)
    held = [one.id for one in rows(appliance, webhook)]
    lane = Lane(webhook)
    done = []
    for number, (id_, text) in enumerate(zip(held, ["fine", "a\0b\ud800", "fine"], strict=True)):
        outcome = Outcome(id_, 1, 1, http_status=200 if number else 500, response_body=text)
        if number == 1:
            outcome.http_status, outcome.error = 500, "it said \0\ud800"
        done.append((ClaimedRow(id_, f"call {number}", 0, 0, 0, "", "", None), outcome))
    task = Task(lane, [row for row, _ in done], 0, TaskKind.SLOW)
    with store.write() as session:
        session.execute(sa.text("UPDATE delivery SET owner = 'me', state = 'pending' WHERE webhook_id = :w"),
                        {"w": webhook})  # fmt: skip
    settler = Settler("me", (3600,), Timers())
    with store.direct() as direct:
        settler.settle(direct, [Report(task, done, [], last=True)], 1000)
    found = rows(appliance, webhook)
    assert [(one.state, one.attempts) for one in found] == [
        ("delivered", 1),
        ("pending", 1),
        ("delivered", 1),
    ]
    log = appliance.rows("SELECT error, response_body FROM attempt WHERE delivery_id = :d", d=held[1])[0]
    assert log.error.startswith("The attempt failed; its reason could not be stored (")
    assert log.response_body.startswith("[the response could not be stored: ")
    with store.write() as session:  # out of the engine's sight again
        session.execute(sa.text("UPDATE delivery SET state = 'held' WHERE id = :d"), {"d": held[1]})


def test_pause_replay_purge_and_index_pass_over_what_is_refused(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    store, settings = appliance.app.extensions["spoke"].store, appliance.app.extensions["spoke"].settings
    webhook = appliance.webhook(place[0], receiver.url("/batch"))["id"]
    post_batch(appliance, place[1], 4)
    eventually(lambda: [one.state for one in rows(appliance, webhook)] == ["delivered"] * 4)
    found = rows(appliance, webhook)
    bad, event = found[1].id, found[1].event_id
    since = "2020-01-01T00:00:00Z"
    with refusing(appliance, "delivery", "UPDATE", f"OLD.id = {bad}"):
        done = appliance.cli("webhook", "replay", webhook, "--since", since, "--state", "delivered")
        assert (done["state"], done["resent"]) == ("done", 3)
        receiver.wait("/batch", 7)
    eventually(lambda: [one.state for one in rows(appliance, webhook)] == ["delivered"] * 4)
    with refusing(appliance, "event", "DELETE", f"OLD.id = {event}"), store.write() as session:
        counts, _ = remove_events(session.connection(), [one.event_id for one in found])
        assert (counts.events, counts.deliveries) == (3, 3)
        session.rollback()
    if store.sqlite:
        with store.write() as session:
            session.execute(sa.text("UPDATE meta SET value = CAST(:id AS TEXT) WHERE key = 'digested_event'"),
                            {"id": event - 2})  # fmt: skip
    with (
        refusing(appliance, "heard", "UPDATE", "NEW.events < 0"),
        refusing(appliance, "event_number", "INSERT", f"NEW.event_id = {event}"),
    ):
        while indexer.is_behind(store):
            indexer.index_batch(store)
    assert purge(settings, store, threading.Event()) == 0 and balanced(appliance)


def test_a_webhook_that_cannot_be_used_fails_with_the_reason(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """Options that are none, and a secret that nothing can be signed with; the others go on."""
    ill = [appliance.webhook(place[0], receiver.url(f"/ill/{number}"))["id"] for number in range(2)]
    appliance.webhook(place[0], receiver.url("/well"))
    before = workers(appliance)
    with appliance.app.extensions["spoke"].store.write() as session:
        session.execute(sa.text("UPDATE webhook SET options = '[1]' WHERE id = :w"), {"w": ill[0]})
        session.execute(sa.text("UPDATE webhook SET secret = 'whsec_?' WHERE id = :w"), {"w": ill[1]})
    post_batch(appliance, place[1])
    receiver.wait("/well")
    for webhook in ill:
        eventually(lambda webhook=webhook: [one.state for one in rows(appliance, webhook)] == ["failed"], 20)
        found = rows(appliance, webhook)[0]
        assert found.attempts == 3 and "An internal error of the appliance" in found.reason
    assert workers(appliance) == before and len(receiver.at("/well")) == 1
    with appliance.app.extensions["spoke"].store.write() as session:
        session.execute(sa.text("UPDATE webhook SET options = '{}', deleted_at = 1 WHERE id IN (:a, :b)"),
                        {"a": ill[0], "b": ill[1]})  # fmt: skip


def test_each_writes_all_but_what_is_refused_and_raises_what_concerns_all() -> None:
    written: list[int] = []

    def write(some: Any) -> None:
        if 7 in some or 3 in some:
            raise ValueError("no such value")
        written.extend(some)

    refused: list[int] = []
    row_errors.each(contextlib.nullcontext, range(10), write, lambda one, _: refused.append(one))
    assert (written, refused) == ([0, 1, 2, 4, 5, 6, 8, 9], [3, 7])

    def away(some: Any) -> None:
        raise OSError("the disk is away")

    with pytest.raises(OSError):
        row_errors.each(contextlib.nullcontext, [1, 2], away, lambda one, _: refused.append(one))
