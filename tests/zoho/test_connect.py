"""Connecting to Zoho PhoneBridge, and what goes there: the whole appliance, and a Zoho of the tests' own."""

import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from api_client import Client, new_key
from appliance import Visitor, eventually
from media import client, sounds
from receiver import Receiver
from zoho.fake_zoho import CLIENT_SECRET
from zoho.site import Site

pytestmark = pytest.mark.databases("one")


def test_connecting_switches_phonebridge_on_and_shows_a_card(site: Site) -> None:
    assert f"{site.name} &amp; Zoho PhoneBridge" not in site.visitor.get("/").text
    site.connect()
    assert f"{site.name} &amp; Zoho PhoneBridge" in site.visitor.get("/").text
    assert "POST /us-api/phonebridge/v3/integrate" in site.zoho.calls
    assert "Ada Lovelace" in site.page and "Bob &lt;b&gt;" in site.page


@pytest.mark.parametrize("turns_pages", [True, False])
def test_all_users_of_a_large_account_are_listed_once(site: Site, turns_pages: bool) -> None:
    """Also where Zoho would answer each page with the first one."""
    first = [{"zohouser": f"z{number}", "username": f"User {number}"} for number in range(1000)]
    more = [{"zohouser": f"y{number}", "username": f"Also {number}"} for number in range(1500)]
    site.zoho.users, site.zoho.turns_pages = first + more, turns_pages
    site.prepare()
    count = 2500 if turns_pages else 1000
    page = site.visitor.get(site.log_in().headers["Location"]).text
    assert f"It has {count:,} users there" in page and page.count('name="user-') == count
    site.map({f"50{number:03}": f"z{number}" for number in range(1000)})
    assert site.page.count('value="50') == 1000


def test_no_page_and_no_command_shows_a_secret(site: Site) -> None:
    site.connect()
    (grant,) = site.zoho.grants()[-1:]
    shown = site.page + str(site.appliance.cli("zoho", "status")) + site.visitor.get("/audit").text
    for secret in (CLIENT_SECRET, grant.refresh_token, *grant.tokens):
        assert secret not in shown
        database = site.appliance.rows("SELECT * FROM zoho_account")
        assert secret not in str(database)
        assert secret not in site.appliance.log


def test_a_call_is_told_in_order_with_its_user(site: Site) -> None:
    site.connect()
    fields = {"user-z10": "5010, 5020", "user-z11": ""}
    assert site.visitor.post(f"/locations/{site.id}/zoho/extensions", **fields).status_code == 303
    site.call("call 1", "ringing", "answered", "ended")
    notices = site.zoho.wait(3)
    assert [notice["state"] for notice in notices] == ["ringing", "answered", "ended"]
    assert {notice["zohouser"] for notice in notices} == {"z10"}
    assert {notice["from"] for notice in notices} == {"+12025550123"}
    eventually(lambda: site.deliveries() == ["delivered"] * 3)


def test_an_extension_is_one_users(site: Site) -> None:
    site.connect()
    fields = {"user-z10": "5010", "user-z11": "5010"}
    answer = site.visitor.post(f"/locations/{site.id}/zoho/extensions", **fields)
    assert answer.status_code == 422 and "5010 is Ada Lovelace&#39;s already" in answer.text


def test_calls_that_nobody_took_are_ended_by_the_option(site: Site) -> None:
    site.connect()
    site.visitor.post(f"/locations/{site.id}/zoho/extensions", **{"user-z10": "5010", "as_ended": "true"})
    site.call("call 2", "missed")
    assert [(n["state"], n["duration"]) for n in site.zoho.wait(1)] == [("ended", "0")]


def test_a_login_that_this_browser_did_not_begin_is_refused(site: Site) -> None:
    site.prepare()
    query = site.led_back()
    before = len(site.zoho.calls)
    other, page = Visitor(site.appliance), f"/zoho/callback?{query}"
    assert other.get(page).status_code == 422
    assert site.visitor.get(page.replace("state=", "state=x")).status_code == 422
    assert site.send_back(query.replace("state=", "state=x")).status_code == 422
    assert site.send_back(query).status_code == 422, "the state is good for one try"
    assert site.visitor.get(page).status_code == 422
    assert len(site.zoho.calls) == before, "no code went anywhere"


def test_a_redirect_cannot_lead_the_client_secret_elsewhere(site: Site) -> None:
    site.prepare()
    thief = Receiver()
    query = site.led_back().rpartition("accounts-server=")[0] + f"accounts-server={thief.url()}"
    assert site.send_back(query).status_code == 303
    assert "none of Zoho&#39;s" in site.page
    assert thief.requests == []
    thief.close()


def test_a_code_is_good_once_and_a_connection_outlives_a_log_in_that_fails(site: Site) -> None:
    site.connect()
    used = site.led_back()
    assert site.send_back(used).status_code == 303
    state = site.led_back().partition("state=")[2].partition("&")[0]
    again = used.replace(used.partition("state=")[2].partition("&")[0], state)
    assert site.send_back(again).status_code == 303
    page = site.page
    assert "Zoho takes this log-in no longer" in page and "Connected" in page
    site.call("call 12", "missed")
    assert [notice["id"] for notice in site.zoho.wait(1)] == ["call 12"]


def test_who_begins_and_does_not_finish_is_led_on(site: Site) -> None:
    site.prepare()
    page = site.visitor.get("/zoho/connect").text
    assert f"Go on with {site.name}" in page and f"/locations/{site.id}/zoho" in page


def test_an_account_of_another_data_centre_is_served_where_zoho_says(site: Site) -> None:
    site.zoho.home = "eu"
    site.connect()
    site.call("call 3", "ringing")
    site.zoho.wait(1)
    assert "POST /eu/oauth/v2/token" in site.zoho.calls
    assert "POST /eu-api/phonebridge/v3/callnotify" in site.zoho.calls


def test_a_wrong_client_secret_is_told_in_plain_words(site: Site) -> None:
    site.prepare("wrong-secret")
    site.log_in()
    assert "the client secret is wrong" in site.page


def test_a_provider_that_is_not_registered_is_told_so_and_may_try_again(site: Site) -> None:
    site.zoho.registered = False
    site.prepare()
    site.log_in()
    assert "PROVIDER_NOT_REGISTERED" in site.page and "Ask Zoho to" in site.page
    assert f"{site.name} &amp; Zoho PhoneBridge" not in site.visitor.get("/").text
    site.zoho.registered = True
    assert site.visitor.post(f"/locations/{site.id}/zoho/on").status_code == 303
    assert "Connected" in site.page


def test_400_fails_the_delivery_at_once_with_zohos_code(site: Site) -> None:
    site.connect()
    site.zoho.registered = False
    site.call("call 4", "missed")
    eventually(lambda: site.deliveries() == ["failed"])
    (row,) = site.appliance.rows(
        "SELECT d.reason, d.attempts FROM delivery d JOIN webhook w ON w.id = d.webhook_id"
        " WHERE w.location_id = :id AND w.integration = 'zoho'", id=site.id,
    )  # fmt: skip
    assert row.attempts == 1 and "PROVIDER_NOT_REGISTERED" in row.reason


def test_a_server_error_is_tried_again(site: Site) -> None:
    site.connect()
    site.zoho.plan = [(500, {}, b'{"code":"INTERNAL_ERROR","status":"error"}'), (502, {}, b"<html>")]
    site.call("call 5", "ringing", "missed")
    assert [notice["state"] for notice in site.zoho.wait(2)] == ["ringing", "missed"]


def test_a_rate_limit_holds_all_messages_for_as_long_as_zoho_asks(site: Site) -> None:
    site.connect()
    site.zoho.plan = [(429, {"Retry-After": "600"}, b"")]
    site.call("call 6", "missed")
    eventually(lambda: not site.zoho.plan)
    eventually(
        lambda: site.appliance.rows(
            "SELECT 1 FROM lane l JOIN webhook w ON w.id = l.webhook_id"
            " WHERE w.location_id = :id AND l.not_before > 0", id=site.id,
        )
    )  # fmt: skip
    site.call("call 7", "missed")
    assert site.visitor.post(f"/locations/{site.id}/zoho/now").status_code == 303
    assert {notice["id"] for notice in site.zoho.wait(2)} == {"call 6", "call 7"}


def test_a_token_that_ends_amid_100_calls_costs_one_refresh_and_no_call_is_lost_or_doubled(
    site: Site,
) -> None:
    site.connect()
    site.zoho.notice_s = 0.01
    calls = [f"stream {number}" for number in range(100)]
    for number, call in enumerate(calls):
        if number == 50:
            site.zoho.expire_tokens()
        site.call(call, "ringing", "missed")
    site.zoho.wait(200, 60)
    assert site.zoho.states() == {call: ["ringing", "missed"] for call in calls}
    assert len(site.zoho.refreshes) == 1
    eventually(lambda: site.deliveries() == ["delivered"] * 200)


def test_a_revoked_grant_holds_what_comes_until_somebody_connects_again(site: Site) -> None:
    site.connect()
    site.zoho.revoke_all()
    site.call("call 8", "missed")
    eventually(lambda: "Zoho takes the grant no longer" in site.page)
    assert "Connect again" in site.page
    site.call("call 9", "missed")
    eventually(lambda: site.deliveries() == ["held", "held"])
    assert site.zoho.notices == []
    assert "Zoho takes the grant no longer: connect again" in site.visitor.get("/").text
    assert site.log_in().status_code == 303
    assert [notice["id"] for notice in site.zoho.wait(2)] == ["call 8", "call 9"]
    eventually(lambda: site.deliveries() == ["delivered", "delivered"])


def test_a_call_that_has_rung_for_long_is_not_announced_and_its_end_is(site: Site) -> None:
    site.connect()
    site.visitor.post(f"/locations/{site.id}/zoho/pause")
    site.call("call 10", "ringing", "missed")
    eventually(lambda: site.deliveries() == ["held", "held"])
    with site.appliance.app.extensions["spoke"].store.write() as session:
        session.execute(
            sa.text("UPDATE event SET accepted_at = accepted_at - 121000 WHERE location_id = :id"),
            {"id": site.id},
        )
    site.visitor.post(f"/locations/{site.id}/zoho/resume")
    assert [notice["state"] for notice in site.zoho.wait(1)] == ["missed"]
    eventually(lambda: site.deliveries() == ["expired", "delivered"])
    assert "Working" in site.visitor.get("/").text, "that is no failure"


def test_a_voicemail_has_a_link_that_zoho_can_follow_for_a_week(site: Site) -> None:
    site.connect()
    site.call("call 11", "ringing", "missed")
    sound = sounds.wav(8000, [sounds.speech(8000, 1)])
    client.send(site.appliance, site.token, sound, type="voicemail", thread_id="call 11")
    *_, last = site.zoho.wait(3)
    assert (last["id"], last["type"], last["state"]) == ("call 11", "received", "missed")
    link = urlsplit(last["voiceuri"])
    (expires,) = parse_qs(link.query)["expires"]
    assert 6.9 * 86_400 < int(expires) - time.time() <= 7 * 86_400
    assert client.fetch(site.appliance, last["voiceuri"]).headers["Content-Type"] == "audio/mpeg"
    log = str(site.appliance.rows("SELECT request_headers FROM attempt ORDER BY started_at DESC LIMIT 1"))
    assert "voiceuri=" in log and link.query not in log


def test_an_erasure_takes_what_was_told_to_zoho(site: Site) -> None:
    site.connect()
    call = f"erased-{uuid.uuid4().hex}"
    site.call(call, "ringing", "missed")
    site.zoho.wait(2)
    eventually(lambda: site.deliveries() == ["delivered", "delivered"])
    told = "SELECT 1 FROM attempt WHERE request_headers LIKE :call"
    assert len(site.appliance.rows(told, call=f"%{call}%")) == 2
    counts = site.appliance.cli("erase", "--thread", call, "--yes")
    assert (counts["events"], counts["attempts"]) == (2, 2)
    assert site.appliance.rows(told, call=f"%{call}%") == [] and site.deliveries() == []


def test_an_outage_of_zoho_delays_no_webhook(site: Site, receiver: Receiver) -> None:
    site.connect()
    site.appliance.webhook(site.name, receiver.url("/beside"))
    site.zoho.down = True
    for number in range(20):
        site.call(f"outage {number}", "missed")
    receiver.wait("/beside", 20)
    assert site.zoho.notices == []
    site.zoho.down = False
    assert site.visitor.post(f"/locations/{site.id}/zoho/now").status_code == 303
    site.zoho.wait(20)


def test_its_one_webhook_is_on_no_page_of_the_webhooks(site: Site) -> None:
    site.connect()
    (webhook,) = site.appliance.rows(
        "SELECT id FROM webhook WHERE location_id = :id AND integration = 'zoho'", id=site.id
    )
    assert "callnotify" not in site.visitor.get(f"/locations/{site.id}/webhooks").text
    own = site.visitor.get(f"/webhooks/{webhook.id}")
    assert (own.status_code, own.headers["Location"]) == (303, f"/locations/{site.id}/zoho")
    for page in ("edit", "delete", "rotate", "receiver", "resume"):
        assert site.visitor.get(f"/webhooks/{webhook.id}/{page}").status_code == 409, page
    assert webhook.id not in [one["id"] for one in site.appliance.cli("webhook", "list")]
    for command in ("delete", "rotate"):
        refusal = site.appliance.cli("webhook", command, webhook.id, status=1)
        assert "connection to Zoho PhoneBridge" in refusal
    person = Client(site.appliance, new_key(site.appliance))
    for action in ("pause", "resume", "test", "now", "rotate", "replay"):
        body = {"since": "2026-01-01T00:00:00Z"} if action == "replay" else {}
        assert person("POST", f"/webhooks/{webhook.id}/{action}", json=body).status_code == 404, action
    for method in ("GET", "PATCH", "DELETE"):
        assert person(method, f"/webhooks/{webhook.id}", json={}).status_code == 404, method


def test_disconnecting_switches_phonebridge_off_and_gives_the_grant_back(site: Site) -> None:
    before = site.zoho.grants()
    site.connect()
    assert site.visitor.post(f"/locations/{site.id}/zoho/disconnect").status_code == 303
    assert site.zoho.calls[-2:] == [
        "DELETE /us-api/phonebridge/v3/integrate",
        "POST /us/oauth/v2/token/revoke",
    ]
    assert site.zoho.grants() == before
    assert site.appliance.rows("SELECT 1 FROM zoho_account WHERE location_id = :id", id=site.id) == []
    assert f"{site.name} &amp; Zoho PhoneBridge" not in site.visitor.get("/").text
    assert site.visitor.get(f"/locations/{site.id}/zoho").status_code == 404


def test_deleting_a_location_leaves_nothing_at_zoho(site: Site) -> None:
    before = site.zoho.grants()
    site.connect()
    asked = site.visitor.get(f"/locations/{site.id}/delete").text
    assert "PhoneBridge is switched off at Zoho" in asked and "webhook is deleted" not in asked
    assert site.appliance.cli("location", "delete", site.name)["problem"] is None
    assert "DELETE /us-api/phonebridge/v3/integrate" in site.zoho.calls
    assert site.zoho.grants() == before
    assert site.appliance.rows("SELECT 1 FROM zoho_account WHERE location_id = :id", id=site.id) == []


def test_a_location_is_deleted_though_zoho_is_away(site: Site) -> None:
    site.connect()
    site.zoho.down = True
    assert site.visitor.post(f"/locations/{site.id}/delete").status_code == 303
    page = site.visitor.get("/locations").text
    assert "disable it there as well" in page and f">{site.name}<" not in page


def test_a_zoho_that_is_away_does_not_keep_a_location_connected(site: Site) -> None:
    site.connect()
    site.zoho.down = True
    assert site.appliance.cli("zoho", "disconnect", site.name)["problem"]
    assert site.appliance.cli("zoho", "status") == []
