"""A location connected to Zapier: its key, what that may do, and how Zapier learns that a webhook ended."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from api_client import Client, new_key
from appliance import Appliance, Place, Visitor, eventually
from receiver import Receiver
from zapier_connection import connect_by_key, shown_key

from webhooks.db.meta import config_changed
from webhooks.db.models import Lane, Location, Unsubscription
from webhooks.outbound.unsubscribe import Unsubscriber
from webhooks.services import integrations


@pytest.fixture
def zapier(appliance: Appliance, visitor: Visitor, place: Place) -> Client:
    return Client(appliance, connect_by_key(appliance, visitor, place[0]))


def subscribe(zapier: Client, url: str, **more: Any) -> int:
    return int(zapier.made("/webhooks", kind="call", url=url, **more)["id"])


def text_of(visitor: Visitor, path: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", visitor.get(path).text).split())


def history(appliance: Appliance, webhook: int) -> list[str]:
    """What the audit log has about a webhook, oldest first."""
    rows = appliance.rows(
        "SELECT text FROM change WHERE subject = :subject ORDER BY id", subject=f"webhook {webhook}"
    )
    return [row.text for row in rows]


def is_told(appliance: Appliance, webhook: int) -> bool:
    return not appliance.rows("SELECT 1 FROM unsubscription WHERE webhook_id = :id", id=webhook)


def test_a_webhook_of_zapiers_key_is_a_zap_at_its_location(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client, receiver: Receiver
) -> None:
    webhook = subscribe(zapier, receiver.url("/zap"), description="Call Event, Zap 7")
    page = f"/locations/{appliance.location_id(place[0])}/zapier"
    assert "Call Event, Zap 7" in text_of(visitor, page)
    location = next(one for one in Client(appliance, new_key(appliance)).listed("/locations")
                    if one["name"] == place[0])  # fmt: skip
    assert location["connected_at"] is None, "Webhooks is another integration"
    appliance.ring(place[1])
    assert receiver.wait("/zap")[0].json["subtype"] == "ringing"
    assert zapier("GET", f"/webhooks/{webhook}").json()["location"] == place[0]


def test_both_cards_of_a_location_tell_their_own_webhooks(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client, receiver: Receiver
) -> None:
    appliance.webhook(place[0], receiver.url("/own"))
    subscribe(zapier, "http://127.0.0.1:1/")
    where = appliance.location_id(place[0])
    assert "127.0.0.1:1" not in visitor.get(f"/locations/{where}/webhooks").text
    assert "/own" not in visitor.get(f"/locations/{where}/zapier").text
    appliance.ring(place[1])
    receiver.wait("/own")

    def cards() -> dict[str, str]:
        found: dict[str, str] = {}
        for page in range(1, 40):
            shown = visitor.get(f"/?page={page}").text
            for card in re.findall(rf'<h3 id="card-{where}-(\w+)">(.*?)</dl>', shown, re.DOTALL):
                found[card[0]] = " ".join(re.sub(r"<[^>]+>", " ", card[1]).split())
            if 'rel="next"' not in shown:
                return found
        raise AssertionError("no end of pages")

    eventually(lambda: "1 of 1 Zap failing" in cards().get("zapier", ""))
    assert "Working" in cards()["webhooks"] and "Sent today 1" in cards()["webhooks"]
    assert "Sent today 0" in cards()["zapier"]


def test_the_key_may_subscribe_at_its_location_and_no_more(
    appliance: Appliance, place: Place, zapier: Client, receiver: Receiver
) -> None:
    other = f"Other {uuid.uuid4()}"
    token = appliance.location(other)
    theirs = appliance.webhook(other, receiver.url("/theirs"))["id"]
    here = appliance.webhook(place[0], receiver.url("/here"))["id"]
    for webhook in (theirs, here):
        assert zapier("GET", f"/webhooks/{webhook}").status_code == 404
        assert zapier("DELETE", f"/webhooks/{webhook}").status_code == 404
    refused = zapier("POST", "/webhooks", json={"kind": "call", "url": receiver.url(), "location": other})
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/location"
    for method, path in (("GET", "/locations"), ("GET", "/deliveries"), ("POST", f"/webhooks/{here}/test")):
        assert zapier(method, path).status_code == 403
    mine = subscribe(zapier, receiver.url("/zap"), location=place[0])
    assert [one["id"] for one in zapier.listed("/webhooks")] == [mine]
    appliance.ring(token)
    own = appliance.ring(place[1])
    assert [one["id"] for one in zapier.listed("/events")] == [own]
    assert zapier("GET", "/events", params={"location": other}).status_code == 422


def test_a_common_key_has_to_name_a_location(appliance: Appliance, receiver: Receiver) -> None:
    answer = Client(appliance, new_key(appliance))(
        "POST", "/webhooks", json={"kind": "call", "url": receiver.url()}
    )
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/location"


def test_a_zap_that_is_deleted_here_is_told_by_delete(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client, receiver: Receiver
) -> None:
    webhook = subscribe(zapier, receiver.url("/zap"))
    answer = visitor.post(f"/webhooks/{webhook}/delete")
    assert answer.headers["Location"] == f"/locations/{appliance.location_id(place[0])}/zapier"
    assert receiver.wait("/zap")[0].method == "DELETE"
    eventually(lambda: history(appliance, webhook)[-1] == "Zapier was told")


def test_a_zap_that_unsubscribes_is_told_nothing(
    appliance: Appliance, zapier: Client, receiver: Receiver
) -> None:
    webhook = subscribe(zapier, receiver.url("/zap"))
    for _ in range(2):
        assert zapier("DELETE", f"/webhooks/{webhook}").status_code == 204
    assert is_told(appliance, webhook) and history(appliance, webhook)[-1].startswith("deleted")


def test_a_webhook_of_a_persons_own_is_told_nothing(
    appliance: Appliance, place: Place, receiver: Receiver
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/own"))["id"]
    appliance.cli("webhook", "delete", webhook)
    assert is_told(appliance, webhook)


def test_a_zap_that_answers_410_is_gone_with_what_waits(
    appliance: Appliance, place: Place, zapier: Client, receiver: Receiver
) -> None:
    receiver.answers["/zap"] = [410]
    webhook = subscribe(zapier, receiver.url("/zap"))
    appliance.ring(place[1])
    eventually(lambda: zapier("GET", f"/webhooks/{webhook}").status_code == 404)
    eventually(
        lambda: (
            [one["state"] for one in appliance.cli("delivery", "list", "--webhook", webhook)] == ["dropped"]
        )
    )
    assert is_told(appliance, webhook), "it knows"
    assert history(appliance, webhook)[-1] == "deleted: The receiver answered 410 Gone."


def test_a_zap_that_is_disabled_after_five_days_of_failures_is_told(
    appliance: Appliance, place: Place, zapier: Client, receiver: Receiver
) -> None:
    receiver.answers["/zap"] = [500, 204]
    webhook = subscribe(zapier, receiver.url("/zap"))
    long_ago = datetime.now(UTC) - timedelta(days=6)
    with appliance.app.extensions["spoke"].store.write() as session:
        failing = {"failures": 20, "failing_since": long_ago}
        session.execute(sa.update(Lane).where(Lane.webhook_id == webhook).values(**failing))
        config_changed(session.connection())
    appliance.ring(place[1])
    assert [one.method for one in receiver.wait("/zap", 2)] == ["POST", "DELETE"]
    assert zapier("GET", f"/webhooks/{webhook}").json()["state"] == "disabled"


def test_disconnecting_removes_the_zaps_tells_each_and_revokes_the_key(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client, receiver: Receiver
) -> None:
    subscribe(zapier, receiver.url("/one"))
    subscribe(zapier, receiver.url("/two"))
    own = appliance.webhook(place[0], receiver.url("/own"))["id"]
    address = f"/locations/{appliance.location_id(place[0])}/zapier"
    assert "2 Zaps are removed" in text_of(visitor, f"{address}/disconnect")
    assert visitor.post(f"{address}/disconnect").status_code == 303
    for path in ("/one", "/two"):
        assert receiver.wait(path)[0].method == "DELETE"
    assert zapier("GET", "/me").status_code == 401
    assert visitor.get(address).headers["Location"] == "/zapier/connect"
    assert visitor.get(f"{address}/disconnect").status_code == 404
    assert own in [one["id"] for one in appliance.cli("webhook", "list")]
    assert appliance.cli("key", "list") == [
        one for one in appliance.cli("key", "list") if place[0] not in one["name"]
    ]
    again = Client(appliance, connect_by_key(appliance, visitor, place[0]))
    assert again("GET", "/me").status_code == 200


def test_many_zaps_end_in_as_few_statements_as_one(
    appliance: Appliance, place: Place, zapier: Client, receiver: Receiver
) -> None:
    """They end in one transaction, and phone systems' events wait for it: ten thousand took 5 seconds."""
    ids = [subscribe(zapier, receiver.url("/zap")) for _ in range(30)]
    store, said = appliance.app.extensions["spoke"].store, list[str]()

    def listen(*details: Any) -> None:
        said.append(details[2])

    sa.event.listen(store.engine, "before_cursor_execute", listen)
    try:
        with store.write() as session:
            location = session.get_one(Location, appliance.location_id(place[0]))
            said.clear()
            ended = integrations.delete_webhooks(session, location, integrations.ZAPIER)
            count = len(said)
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", listen)
    assert sorted(ended) == ids and count <= 4, said
    eventually(lambda: all(is_told(appliance, webhook) for webhook in ids), 30)
    assert {one.method for one in receiver.at("/zap")} == {"DELETE"} and len(receiver.at("/zap")) == 30


def test_deleting_a_location_ends_its_connection_too(
    appliance: Appliance, place: Place, zapier: Client, receiver: Receiver
) -> None:
    subscribe(zapier, receiver.url("/zap"))
    appliance.cli("location", "delete", place[0])
    assert receiver.wait("/zap")[0].method == "DELETE"
    assert zapier("GET", "/me").status_code == 401


def test_a_new_key_replaces_the_former(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client, receiver: Receiver
) -> None:
    webhook = subscribe(zapier, receiver.url("/zap"))
    address = f"/locations/{appliance.location_id(place[0])}/zapier"
    assert "refused at once" in text_of(visitor, f"{address}/key")
    assert visitor.post(f"{address}/key").status_code == 303
    fresh = Client(appliance, shown_key(visitor, address))
    assert zapier("GET", "/me").status_code == 401
    assert [one["id"] for one in fresh.listed("/webhooks")] == [webhook]
    assert fresh("GET", "/me").json()["key"] == f"Zapier, {place[0]}"


def test_a_key_that_was_revoked_is_told_on_the_page(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client
) -> None:
    appliance.cli("key", "revoke", f"Zapier, {place[0]}")
    assert zapier("GET", "/me").status_code == 401
    address = f"/locations/{appliance.location_id(place[0])}/zapier"
    assert "The key was revoked" in text_of(visitor, address)
    assert visitor.post(f"{address}/key").status_code == 303
    assert Client(appliance, shown_key(visitor, address))("GET", "/me").status_code == 200


def test_a_location_is_connected_once(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client
) -> None:
    answer = visitor.post("/zapier/connect", location=str(appliance.location_id(place[0])))
    assert answer.status_code == 422 and "is connected to Zapier already" in answer.text


def test_of_two_people_who_connect_a_location_in_the_same_instant_the_second_gets_a_sentence(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    store, number = appliance.app.extensions["spoke"].store, appliance.location_id(place[0])
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as pool:
        with store.write() as session:
            integrations.connect(session, session.get_one(Location, number), integrations.ZAPIER)
            second = pool.submit(visitor.post, "/zapier/connect", location=str(number))
            if not store.sqlite:  # there both have looked before either has committed
                eventually(lambda: appliance.rows(waits))
        answer = second.result()
    assert answer.status_code == 422
    assert ("already" if store.sqlite else "Somebody else has just done the same") in answer.text


@pytest.mark.databases("one")
def test_what_a_zap_gets_and_where_is_changed_by_nobody_here(
    appliance: Appliance, visitor: Visitor, place: Place, zapier: Client, receiver: Receiver
) -> None:
    webhook = subscribe(zapier, receiver.url("/zap"))
    person = Client(appliance, new_key(appliance))
    for method, path in (("PATCH", ""), ("POST", "/rotate")):
        refused = person(method, f"/webhooks/{webhook}{path}", json={})
        assert refused.status_code == 409 and "Change the Zap at Zapier" in refused.json()["detail"]
    for page in ("edit", "rotate", "receiver"):
        assert visitor.get(f"/webhooks/{webhook}/{page}").status_code == 409, page
    for page in ("edit", "rotate"):
        assert visitor.post(f"/webhooks/{webhook}/{page}").status_code == 409, page
    assert "belongs to a Zap" in appliance.cli("webhook", "rotate", webhook, status=1)
    for action in ("pause", "resume", "test"):
        assert person("POST", f"/webhooks/{webhook}/{action}").status_code < 300, action
    assert receiver.wait("/zap")


def test_what_zapier_could_not_be_told_is_told_later_and_given_up_after_a_day(
    appliance: Appliance, place: Place, zapier: Client, receiver: Receiver
) -> None:
    receiver.answers["/zap"] = [503]
    webhook = subscribe(zapier, receiver.url("/zap"))
    appliance.cli("webhook", "delete", webhook)
    receiver.wait("/zap")
    find = "SELECT id, tries FROM unsubscription WHERE webhook_id = :id AND due_at > created_at + 5000"
    eventually(lambda: appliance.rows(find, id=webhook))
    store = appliance.app.extensions["spoke"].store
    mine = Unsubscription.webhook_id == webhook
    earlier = {"created_at": sa.text("created_at - 86400000"), "due_at": sa.text("created_at")}
    with store.write() as session:  # as if a day had passed
        session.execute(sa.update(Unsubscription).where(mine).values(**earlier))
    eventually(lambda: is_told(appliance, webhook), seconds=40)  # where it was under way, after 10 seconds
    assert history(appliance, webhook)[-1] == "Zapier could not be told in a day: It answered 503."


def test_the_address_rules_hold_for_what_zapier_is_told(appliance: Appliance, receiver: Receiver) -> None:
    settings = appliance.app.extensions["spoke"].settings.model_copy(update={"allow_nets": ()})
    error = Unsubscriber(settings).send(receiver.url("/zap"))
    assert error and "SPOKE_ALLOW_NETS" in error and not receiver.requests
