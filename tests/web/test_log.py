"""The delivery log: each filter finds what it should and nothing else, pages hold still, work is bounded."""

import csv
import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from appliance import PASSWORD, Appliance, Place, Visitor, eventually
from receiver import Receiver
from sample_data import HOSTILE, call, states

from webhooks.events import indexer
from webhooks.events.phone_numbers import number_key, numbers_in, numbers_of
from webhooks.retention.purge import purge
from webhooks.services import delivery_log
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.web.shared import slots


def shown(page: str) -> list[int]:
    """The deliveries on a page, in its order."""
    return [int(one) for one in re.findall(r'<th scope="row"><a href="/deliveries/(\d+)"', page)]


@pytest.fixture
def log(appliance: Appliance, visitor: Visitor, place: Place) -> Callable[..., list[int]]:
    """The ids that a filter shows among this test's own location, all pages of it."""
    where = appliance.location_id(place[0])

    def look(**given: Any) -> list[int]:
        found: list[int] = []
        path: str | None = "/deliveries"
        query: dict[str, Any] | None = {"location": where, **given}
        while path:
            answer = visitor.get(path, params=query)
            assert answer.status_code == 200
            found += shown(answer.text)
            older = re.search(r'href="([^"]+)">(?:Older|Search older ones)<', answer.text)
            path, query = (older[1].replace("&amp;", "&") if older else None), None
        assert found == sorted(set(found), reverse=True), "newest first, none twice"
        return found

    return look


def ids(appliance: Appliance, webhook: int, **wanted: Any) -> list[int]:
    listed = appliance.cli("delivery", "list", "--webhook", webhook, "--limit", 1000)
    return [one["id"] for one in listed if all(one[name] == value for name, value in wanted.items())]


def test_every_filter_finds_its_own(
    appliance: Appliance, receiver: Receiver, place: Place, log: Callable[..., list[int]]
) -> None:
    receiver.answers["/log-down"] = [500]
    good = appliance.webhook(place[0], receiver.url("/log"))["id"]
    bad = appliance.webhook(place[0], receiver.url("/log-down"), status="ended")["id"]
    number = f"+4989{uuid.uuid4().int % 10**8:08}"
    thread = call(appliance, place[1], "ringing", "answered", "ended", **{"from": number})
    call(appliance, place[1], "ringing", "missed", type="outgoing_call", to=f"sip:{number[1:]}@pbx.local")
    call(appliance, place[1], "ringing", **{"from": "+15551234567"})
    eventually(lambda: states(appliance, bad) == ["failed"], seconds=20)
    eventually(lambda: set(states(appliance, good)) == {"delivered"})
    every = ids(appliance, good) + ids(appliance, bad)
    assert sorted(log()) == sorted(every) and len(every) == 7
    assert log(webhook=bad) == ids(appliance, bad)
    assert log(state="failed") == ids(appliance, bad)
    assert log(state="held") == []
    assert log(type="outgoing_call") == ids(appliance, good, type="outgoing_call")
    assert log(status="ringing") == ids(appliance, good, status="ringing")
    assert log(call=thread, status="ended", webhook=good) == ids(appliance, good, status="ended")
    assert len(log(call=thread)) == 4
    for written in (number, number[-7:], f"0{number[3:]}", f" {number[:5]} {number[5:9]}-{number[9:]} "):
        assert len(log(number=written)) == 6, written
    assert len(log(number=number, state="failed")) == 1
    assert log(number="99999999999") == []
    assert log(number="nobody of this name") == []
    assert len(log(number="clearly ip")) == 7 and len(log(number=" DADE ", state="failed")) == 1
    now = datetime.now(UTC)
    assert len(log(since=(now - timedelta(minutes=5)).isoformat())) == 7
    assert log(since=(now + timedelta(minutes=5)).isoformat()) == []
    assert log(until=(now - timedelta(minutes=5)).isoformat()) == []
    assert len(log(until=(now + timedelta(minutes=5)).isoformat(), since="2020-01-01T00:00")) == 7


def test_pages_hold_still_while_new_rows_come(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/pages"))["id"]
    call(appliance, place[1], *["ringing"] * 60)
    first = visitor.get(f"/deliveries?webhook={webhook}").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older and len(shown(first)) == 50
    call(appliance, place[1], *["ringing"] * 5)
    second = visitor.get(older[1].replace("&amp;", "&")).text
    assert len(shown(second)) == 10 and max(shown(second)) < min(shown(first))
    assert "hx-get" not in second.partition("<tbody")[2].partition("</tbody>")[0], (
        "an older page is not renewed"
    )


def test_a_fragment_is_the_rows_alone_and_asks_for_itself(appliance: Appliance, visitor: Visitor) -> None:
    answer = visitor.get("/deliveries?state=delivered", headers={"HX-Request": "true"})
    assert answer.text.strip().startswith("<tbody") and answer.text.strip().endswith("</tbody>")
    assert 'hx-get="/deliveries?state=delivered"' in answer.text


def test_who_was_logged_out_is_led_away_not_shown_a_form_in_a_table(appliance: Appliance) -> None:
    answer = appliance.get("/deliveries", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"], answer.text) == (401, "/login", "")


@pytest.mark.parametrize(
    ("query", "says"),
    [("state=lost", "has to be one of pending"), ("type=fax", "has to be one of incoming_call"),
     ("status=x", "has to be one of ringing"),
     ("since=yesterday", "a time such as"), ("until=2026-13-01", "a time such as"),
     ("since=2026-02-01&until=2026-01-01", "after its start")],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_422_and_says_so(visitor: Visitor, query: str, says: str) -> None:
    answer = visitor.get(f"/deliveries?{query}")
    assert answer.status_code == 422 and says in answer.text


def test_a_search_that_finds_little_stops_and_goes_on(
    appliance: Appliance, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at so many rows and no more, says how far it got, and the next goes on from there."""
    monkeypatch.setattr(delivery_log, "_CANDIDATES", 20)
    monkeypatch.setattr(delivery_log, "_STEP", 10)
    webhook = appliance.webhook(place[0], "http://127.0.0.1:1/", status="ringing")["id"]
    call(appliance, place[1], "ringing", type="outgoing_call")
    call(appliance, place[1], *["ringing"] * 45)
    eventually(lambda: len(ids(appliance, webhook)) == 46)
    service = appliance.app.extensions["spoke"].delivery_log
    wanted = DeliveryFilter(webhook=webhook, type="outgoing_call")
    found: list[int] = []
    cursor: int | None = None
    pages = 0
    while True:
        page = service.page(wanted, cursor)
        found += [row.id for row in page.rows]
        pages += 1
        cursor = page.older
        if cursor is None:
            break
        assert page.looked_to is not None
    assert (found, pages) == (ids(appliance, webhook, type="outgoing_call"), 3)


@pytest.mark.parametrize(("webhooks", "each"), [(3, 10), (10, 3)])
def test_streams_are_merged_in_order(
    appliance: Appliance, place: Place, monkeypatch: pytest.MonkeyPatch, webhooks: int, each: int
) -> None:
    """A state over many webhooks: each webhook's rows are a stream, read a few at a time. One has more."""
    monkeypatch.setattr(delivery_log, "_ROWS", 4)
    monkeypatch.setattr(delivery_log, "_LOW", 2)
    monkeypatch.setattr(delivery_log, "_TOGETHER", 7)
    names = [f"{place[0]} {number}" for number in range(webhooks)]
    tokens = [appliance.location(name) for name in names]
    made: list[int] = []
    for name in names:
        made.append(appliance.webhook(name, "http://127.0.0.1:1/")["id"])
        appliance.cli("webhook", "pause", made[-1])
    for _ in range(each):
        for token in (tokens[0], tokens[0], *tokens):
            call(appliance, token, "ringing")
    service = appliance.app.extensions["spoke"].delivery_log
    page = service.page(DeliveryFilter(state="held"), count=1000)
    found = [row.id for row in page.rows if row.webhook_id in made]
    assert len(found) == (webhooks + 2) * each and found == sorted(found, reverse=True)
    for name in names:
        appliance.cli("location", "delete", name)


def test_a_call_id_may_be_long_or_odd(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    appliance.webhook(place[0], receiver.url("/odd"))
    for thread in ("x" * 500, "a b&c=d/ü?#\"'", "%00"):
        event = {"type": "incoming_call", "subtype": "ringing", "thread_id": thread}
        assert appliance.event(place[1], **event).status_code == 202
        assert len(shown(visitor.get("/deliveries", params={"call": thread}).text)) >= 1, thread
    assert visitor.get("/deliveries?call=%00").status_code == 200


def test_the_purge_forgets_numbers_with_their_events(appliance: Appliance, place: Place) -> None:
    number = f"77{uuid.uuid4().int % 10**9:09}"
    call(appliance, place[1], "ringing", **{"from": number})
    key = number_key(number)
    query = "SELECT event_id FROM event_number WHERE number = :n"
    eventually(lambda: appliance.rows(query, n=key))
    with appliance.app.extensions["spoke"].store.write() as session:
        session.execute(sa.text("UPDATE event SET accepted_at = 0 WHERE id = :id"),
                        {"id": appliance.rows(query, n=key)[0][0]})  # fmt: skip
    services = appliance.app.extensions["spoke"]
    assert purge(services.settings, services.store, threading.Event()) >= 1
    assert appliance.rows(query, n=key) == []


def test_the_digest_takes_up_where_it_stopped(appliance: Appliance, place: Place) -> None:
    store = appliance.app.extensions["spoke"].store
    call(appliance, place[1], *["ringing"] * 7)
    indexer.catch_up(store)
    eventually(lambda: not indexer.is_behind(store))
    where = appliance.location_id(place[0])
    assert appliance.rows(
        "SELECT sum(events), sum(unmatched) FROM heard WHERE location_id = :l", l=where
    ) == [(7, 7)]


@pytest.mark.parametrize(
    ("written", "key"),
    [("+1 (920) 383-3100", "00133830291"), ("sip:19203833100@pbx;user=phone", "00133830291"),
     ("tel:+1920-383-3100", "00133830291"), ("5010", "0105"), ("Anonymous", "suomynona"), ("", None),
     ("  ", None), ("---", None), ("sip:alice@pbx", "ecila"),
     ('"Anna Muster" <+49301234567>', "76543210394"), ("tel:+49-30-1234567;ext=12", "76543210394"),
     ("sip:+49301234567@host;user=phone", "76543210394"), ("+49 30 1234567 (mobile)", "76543210394"),
     ("+49 (0)30 1234567 ext. 12", "76543210394"), ("00 49 30 1234567", "76543210394"),
     ("sip:%2B49301234567:pw@host", "76543210394"), ("Mobile: +49 30 1234567", "76543210394"),
     ("Anna <5010>", "0105"), ("Anna <sip:5010@pbx;tag=123456>;tag=98765", "0105"), ("Anna 5010", "0105"),
     ("Local/5010@from-internal", "0105"), ("٤٩٣٠١٢٣٤٥٦٧", "76543210394"), ("Room 12", "21moor"),
     ("alice2", "2ecila"), ("<>", None), ("Anonymous <sip:anonymous@anonymous.invalid>", "suomynona")],
)  # fmt: skip
def test_numbers_are_one_however_they_are_written(written: str, key: str | None) -> None:
    assert number_key(written) == key


def test_a_text_may_have_several_numbers_and_a_name_may_be_one() -> None:
    assert numbers_in('"030 1234567" <sip:5010@pbx>') == ["0105", "7654321030"]
    body = {"from": "5010&5011", "to": "anonymous", "from_name": "Anna +49301234567", "to_name": "Line 300"}
    assert numbers_of(json.dumps(body)) == {"0105", "1105", "suomynona", "76543210394"}


def test_a_number_beside_a_name_is_found_by_its_end(
    appliance: Appliance, place: Place, log: Callable[..., list[int]]
) -> None:
    webhook = appliance.webhook(place[0], "http://127.0.0.1:1/")["id"]
    number = f"4989{uuid.uuid4().int % 10**8:08}"
    for written in (
        f'"Anna Muster" <+{number}>',
        f"tel:+{number};ext=12",
        f"+{number[:4]} {number[4:]} (mobile)",
    ):
        call(appliance, place[1], "ringing", **{"from": written})
    assert log(number=number[-7:]) == ids(appliance, webhook) and len(ids(appliance, webhook)) == 3


def test_numbers_that_an_older_version_told_apart_are_looked_through_once_more(
    appliance: Appliance, place: Place
) -> None:
    """As after the migration: the index is empty, and all events but the newest are below the mark."""
    store = appliance.app.extensions["spoke"].store
    number = f"77{uuid.uuid4().int % 10**9:09}"
    for _ in range(3):
        call(appliance, place[1], "ringing", **{"from": f'"Anna Muster" <{number}>'})
    eventually(lambda: not indexer.is_behind(store))
    heard = "SELECT sum(events) FROM heard"
    before = appliance.rows(heard)
    with store.write() as session:
        session.execute(sa.text("DELETE FROM event_number"))
        session.execute(
            sa.text("""
                INSERT INTO meta (key, value)
                SELECT 'renumber_below', CAST(max(id) + 1 AS VARCHAR(20)) FROM event WHERE true
                ON CONFLICT (key) DO UPDATE SET value = excluded.value
            """)
        )
    query = "SELECT 1 FROM event_number WHERE number = :n"
    eventually(lambda: len(appliance.rows(query, n=number_key(number))) == 3, 30)
    eventually(lambda: not indexer.is_behind(store), 30)
    assert appliance.rows(heard) == before


def test_the_export_has_what_the_filter_shows_and_no_formula(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/csv"))["id"]
    names: Sequence[str] = (
        '=HYPERLINK("http://evil.example","x")',
        "+cmd",
        "@SUM(1)",
        "-1+2",
        "\uff1d1+1",
        "\uff0bcmd",
        "\uff0d1",
        "\uff20SUM(1)",
        "\ufe66 1",
        'a,b"c\nd',
        HOSTILE,
    )
    for name in names:
        call(appliance, place[1], "ringing", from_name=name)
    answer = visitor.get(f"/deliveries.csv?webhook={webhook}")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [int(row["delivery"]) for row in rows] == ids(appliance, webhook)
    assert [row["from_name"].removeprefix("'") for row in reversed(rows)] == list(names)
    assert not any(row["from_name"].startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20\ufe66")) for row in rows)
    assert {row["from"] for row in rows} == {"+19203833100"}
    assert visitor.get("/deliveries.csv?state=lost").status_code == 422


def test_an_export_beyond_the_slots_is_refused_and_told_when_to_come_again(appliance: Appliance) -> None:
    client = appliance.app.test_client()
    client.post("/login", data={"password": PASSWORD}, headers={"Origin": "http://localhost"})
    with slots.exports.take(), slots.exports.take():
        refused = client.get("/deliveries.csv")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    for _ in range(3):  # each gives its slot back
        assert client.get("/deliveries.csv").status_code == client.head("/deliveries.csv").status_code == 200
