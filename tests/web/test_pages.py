"""The pages without a browser: connecting, forms and their faults, two tabs, hostile text everywhere."""

import html
import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable
from urllib.parse import urljoin

import pytest
from appliance import Appliance, Place, Visitor, eventually
from conftest import need
from media import client, sounds
from receiver import Answer, Receiver
from sample_data import HOSTILE, Filled, call, number, states

from webhooks.settings import SECRET_FIELDS, Settings, variable


def text_of(page: str) -> str:
    """What a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


# --- connect, choose, authorize ---


def test_connect_authorize_manage_and_add(appliance: Appliance, receiver: Receiver) -> None:
    """Without a script: Connect, a new location, Authorize, Manage Webhooks, a webhook, its delivery."""
    visitor = Visitor(appliance)
    name = f"Clearly {uuid.uuid4().hex[:6]}"
    assert "Active integrations" in visitor.get("/").text
    assert "Available integrations" in visitor.get("/").text
    answer = visitor.post("/connect", new=name)
    assert answer.status_code == 303
    page = visitor.get("/").text
    assert f"{name} & Webhooks" in text_of(page)
    token = re.search(r'id="secret">([^<]+)<', page)
    assert token and token[1] not in visitor.get("/").text, "a token is shown once"
    manage = re.search(rf'href="(/locations/{appliance.location_id(name)}/webhooks)"', page)
    assert manage
    page = visitor.get(manage[1]).text
    assert "Add New Call Webhook" in page and "Add New Media Webhook" in page
    form = f"{manage[1]}/new/call"
    added = visitor.post(form, types="incoming_call", statuses="missed", url=receiver.url("/seed"))
    assert added.status_code == 303
    page = visitor.get(added.headers["Location"]).text
    assert "whsec_" in page and "whsec_" not in visitor.get(added.headers["Location"]).text
    call(appliance, token[1], "ringing", "missed")
    assert [json.loads(one.body)["subtype"] for one in receiver.wait("/seed")] == ["missed"]
    media = visitor.post(f"{manage[1]}/new/media", types="voicemail", url=receiver.url("/media"))
    webhook = next(
        one for one in appliance.cli("webhook", "list") if one["id"] == number(media.headers["Location"])
    )
    assert (webhook["kind"], webhook["types"], webhook["statuses"]) == ("media", ["voicemail"], [])


@pytest.mark.databases("one")
def test_the_webhooks_card_goes_once_every_location_is_connected(
    start_appliance: Callable[..., Appliance],
) -> None:
    appliance = start_appliance()
    visitor = Visitor(appliance)
    assert "/connect" in visitor.get("/").text
    appliance.location("Office")
    assert "Office" in visitor.get("/connect").text
    assert "Office & Webhooks" not in text_of(visitor.get("/").text), "added is not connected"
    assert visitor.post("/connect", location="1").status_code == 303
    page = visitor.get("/").text
    assert "Office & Webhooks" in text_of(page) and 'href="/connect"' not in page
    appliance.webhook("Office", "https://crm.example/hook")
    warning = text_of(visitor.get("/locations/1/disconnect").text)
    assert "1 webhook is deleted" in warning
    assert visitor.post("/locations/1/disconnect").status_code == 303
    assert 'href="/connect"' in visitor.get("/").text and appliance.cli("webhook", "list") == []
    # A webhook added by command connects its location, too.
    appliance.webhook("Office", "https://crm.example/hook")
    assert "Office & Webhooks" in text_of(visitor.get("/").text)


# --- forms ---


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("url", "ftp://crm.example", "start with http"),
        ("url", "https://me:pass@crm.example/", "user name or password"),
        ("url", "http://169.254.169.254/", "SPOKE_ALLOW_NETS"),
        ("url", "", "start with http"),
        ("statuses", "asleep", "one of ringing"),
        ("types", "voicemail", "one of incoming_call"),
        ("headers", "no colon", "Name: value"),
        ("headers", "Host: elsewhere", "set by the appliance"),
        ("concurrency", "many", "whole number"),
        ("concurrency", "65", "“Requests at a time” has to be at most 64."),
        ("timeout", "0.1", "has to be at least 1"),
        ("max_age", "1.5", "whole number"),
        ("rate", "-1", "has to be more than 0"),
        ("ca", "-----BEGIN CERTIFICATE-----", "PEM"),
        ("client_certificate", "-----BEGIN CERTIFICATE-----", "PEM"),
        ("client_key", "-----BEGIN PRIVATE KEY-----", "go together"),
        ("description", "x" * 501, "at most 500"),
        ("description", "a\0b", "printable"),
        ("headers", "A: b\na: c", "given twice"),
        ("url", "http://" + "x" * 2100, "longer than 2,000"),
        ("url", "http://.../", "cannot be called"),
        ("url", "http://exa\U0001f62emple.invalid/", "cannot be called"),
    ],
)
def test_a_fault_in_a_form_is_422_names_the_field_and_keeps_what_was_typed(
    appliance: Appliance, visitor: Visitor, place: Place, field: str, value: str, says: str
) -> None:
    given = {"types": "incoming_call", "url": "https://crm.example/hook", "description": "kept", field: value}
    answer = visitor.post(f"/locations/{appliance.location_id(place[0])}/webhooks/new/call", **given)
    assert answer.status_code == 422
    page = answer.text
    assert says in text_of(page)
    assert re.search(rf'<\w+ id="{field}"[^>]*aria-invalid="true" aria-describedby="fault"', page)
    assert page.count("aria-invalid") == 1 and 'id="fault"' in page
    for name in ("url", "description"):
        assert html.escape(given[name]) in page or not given[name]
    assert not [one for one in appliance.cli("webhook", "list") if one["location"] == place[0]]


def test_what_is_saved_stands_in_the_form_and_headers_keep_their_values(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    where = f"/locations/{appliance.location_id(place[0])}/webhooks/new/call"
    path = f"/{uuid.uuid4().hex}"
    answer = visitor.post(
        where, types="incoming_call", statuses="busy", url=receiver.url(path), description="The shop's",
        headers="Authorization: Bearer s3cret\nX-Shop: 7", concurrency="2", rate="1.5", timeout="3",
        max_age="60",
    )  # fmt: skip
    webhook = number(answer.headers["Location"])
    page = visitor.get(f"/webhooks/{webhook}/edit").text
    assert "Authorization: •••" in page and "s3cret" not in page
    for value in ("The shop&#39;s", 'value="2"', 'value="1.5"', 'value="3"', 'value="60"'):
        assert value in page, value
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    saved = visitor.post(
        f"/webhooks/{webhook}/edit", version=version[1], types="incoming_call", url=receiver.url(path),
        headers="Authorization: •••",
    )  # fmt: skip
    assert saved.status_code == 303
    call(appliance, place[1], "ringing")
    (request,) = receiver.wait(path)
    assert request.headers["authorization"] == "Bearer s3cret" and "x-shop" not in request.headers
    told = text_of(visitor.get("/history").text)
    assert "rate: 1.5 → default" in told and "s3cret" not in told


def test_the_second_of_two_tabs_is_told_and_overwrites_nothing(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    webhook = appliance.webhook(place[0], "https://one.example/")["id"]
    pages = [visitor.get(f"/webhooks/{webhook}/edit").text for _ in range(2)]
    versions = [re.findall(r'name="version" value="(\d+)"', page)[0] for page in pages]
    first = visitor.post(f"/webhooks/{webhook}/edit", version=versions[0], url="https://two.example/")
    assert first.status_code == 303
    second = visitor.post(f"/webhooks/{webhook}/edit", version=versions[1], url="https://three.example/")
    assert second.status_code == 409
    assert "changed meanwhile" in text_of(second.text)
    assert "https://two.example/" in second.text and "https://three.example/" in second.text
    assert [one["url"] for one in appliance.cli("webhook", "list") if one["id"] == webhook] == [
        "https://two.example/"
    ]
    again = re.findall(r'name="version" value="(\d+)"', second.text)[0]
    assert (
        visitor.post(f"/webhooks/{webhook}/edit", version=again, url="https://three.example/").status_code
        == 303
    )
    # A pause is a change as well: the form would have shown it.
    appliance.cli("webhook", "pause", webhook)
    stale = str(int(again) + 1)
    assert (
        visitor.post(f"/webhooks/{webhook}/edit", version=stale, url="https://four.example/").status_code
        == 409
    )


@pytest.mark.parametrize(
    "version", ["9" * 5000, "x", "-1", "0", "1.0"], ids=["long", "word", "minus", "0", "1.0"]
)
def test_a_version_that_is_none_overwrites_nothing(
    appliance: Appliance, visitor: Visitor, place: Place, version: str
) -> None:
    webhook = appliance.webhook(place[0], "https://one.example/")["id"]
    answer = visitor.post(f"/webhooks/{webhook}/edit", version=version, url="https://two.example/")
    assert answer.status_code == 409
    urls = [one["url"] for one in appliance.cli("webhook", "list") if one["id"] == webhook]
    assert urls == ["https://one.example/"]


def test_the_sample_is_what_a_receiver_gets(appliance: Appliance, visitor: Visitor, place: Place) -> None:
    chosen = {
        "kind": "call",
        "types": "outgoing_call",
        "statuses": ["", "no_answer", "busy"],
        "headers": "X-Own: 1",
    }
    fragment = visitor.session.get(
        appliance.url + "/sample", params=chosen, headers={"HX-Request": "true"}, timeout=10
    ).text
    assert "<html" not in fragment
    sample = json.loads(html.unescape(re.findall(r'Request body">(.*?)</pre>', fragment, re.DOTALL)[0]))
    assert list(sample) == [
        "id",
        "thread_id",
        "to",
        "from",
        "to_name",
        "from_name",
        "type",
        "subtype",
        "timestamp",
    ]
    assert (sample["type"], sample["subtype"]) == ("outgoing_call", "busy")
    said = "Sent for Outgoing Call, Busy or No answer . For example Outgoing Call, Busy:"
    assert said in text_of(fragment)
    assert "X-Own: •••" in fragment
    # Without a script the form itself shows it, and keeps what was typed.
    where = f"/locations/{appliance.location_id(place[0])}/webhooks/new/media"
    page = visitor.post(where, types="voicemail", url="https://crm.example/x", preview="1").text
    assert "&#34;attachments&#34;" in page and "https://crm.example/x" in page


def test_the_list_and_the_boxes_choose_together_and_a_webhook_has_its_descriptions_name(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    where = appliance.location_id(place[0])
    added = visitor.post(
        f"/locations/{where}/webhooks/new/call", types="", statuses=["missed", "no_answer", "busy"],
        url="https://crm.example/", description="Lost calls",
    )  # fmt: skip
    id_ = number(added.headers["Location"])
    page = visitor.get(f"/webhooks/{id_}").text
    assert re.search(r"<title>(\(\d+\) )?Lost calls: Any call, Missed, Busy or No answer", page)
    assert "Lost calls Any call, Missed, Busy or No answer" in text_of(re.findall("<h1.*?</h1>", page)[0])
    form = visitor.get(f"/webhooks/{id_}/edit").text
    assert re.findall(r'<option value="(\w+)" selected', form) == ["missed"]
    assert re.findall(r'name="statuses" value="(\w+)" checked', form) == ["busy", "no_answer"]
    unnamed = appliance.webhook(place[0], "https://crm.example/")["id"]
    for path in (f"/locations/{where}/webhooks", "/deliveries"):
        shown = text_of(visitor.get(path).text)
        assert "Lost calls" in shown and f"Webhook {unnamed}" in shown and f"Webhook {id_}" not in shown


# --- a webhook's life ---


def test_pause_hold_and_resume_by_sending_or_by_dropping(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    path = f"/{uuid.uuid4().hex}"
    webhook = appliance.webhook(place[0], receiver.url(path))["id"]
    for choice, state in (("send", "delivered"), ("drop", "dropped")):
        assert visitor.post(f"/webhooks/{webhook}/pause").status_code == 303
        call(appliance, place[1], "ringing", "ended")
        eventually(lambda: states(appliance, webhook).count("held") == 2)
        assert "2 deliveries are held" in text_of(visitor.get(f"/webhooks/{webhook}/resume").text)
        assert visitor.post(f"/webhooks/{webhook}/resume", held=choice).status_code == 303
        eventually(lambda: states(appliance, webhook)[:2] == [state] * 2)  # noqa: B023  # asked at once
    assert len(receiver.at(path)) == 2


def test_a_deleted_webhooks_page_stays_for_what_it_sent(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/gone"))["id"]
    call(appliance, place[1], "ringing")
    receiver.wait("/gone")
    assert visitor.post(f"/webhooks/{webhook}/delete").status_code == 303
    page = visitor.get(f"/webhooks/{webhook}").text
    assert "Deleted" in page and "<form" not in page.partition("<main")[2].partition("</main>")[0]
    delivery = re.findall(r'href="(/deliveries/\d+)"', page)[0]
    assert "Its webhook is deleted" in visitor.get(delivery).text
    for path in ("edit", "delete", "resume", "replay"):
        assert visitor.get(f"/webhooks/{webhook}/{path}").status_code == 404, path
    assert visitor.post(f"/webhooks/{webhook}/pause").status_code == 404
    appliance.cli("location", "delete", place[0])
    for path in (f"/webhooks/{webhook}", delivery, "/deliveries"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        for link in re.findall(r'href="(/locations/\d+[^"]*)"', answer.text):
            assert visitor.get(link).status_code == 200, link


@pytest.mark.databases("one")
def test_what_is_long_is_shown_by_its_beginning_and_can_be_had_whole(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    path = f"/{uuid.uuid4().hex}"
    receiver.answers[path] = [Answer(500, body=b"<" * 16_000)]
    webhook = appliance.webhook(place[0], receiver.url(path))["id"]
    note = "&" * 500_000
    call(appliance, place[1], *["ringing"] * 70, *["ended"], note=note[:100])
    call(appliance, place[1], "ringing", note=note)
    eventually(lambda: states(appliance, webhook)[:1] == ["failed"], seconds=20)
    for number_ in (0, 40):
        delivery = appliance.cli("delivery", "list", "--webhook", webhook, "--limit", 60)[number_]["id"]
        page = visitor.get(f"/deliveries/{delivery}")
        assert len(page.content) < 100_000
        whole = re.findall(r'href="(/events/\d+/body)"', page.text)
        assert len(whole) == (number_ == 0)
        for link in whole:
            raw = visitor.get(link)
            assert (
                raw.headers["Content-Type"].startswith("text/plain") and json.loads(raw.text)["note"] == note
            )
    delivery = appliance.cli("delivery", "list", "--webhook", webhook)[0]["id"]
    answers = re.findall(
        r'href="(/deliveries/\d+/attempts/\d+)"', visitor.get(f"/deliveries/{delivery}").text
    )
    assert len(answers) == 3 and visitor.get(answers[0]).text == "<" * 16_000


def test_a_test_event_shows_its_result_in_place(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    path = f"/{uuid.uuid4().hex}"
    receiver.answers[path] = [404]
    webhook = appliance.webhook(place[0], receiver.url(path))["id"]
    headers = {"HX-Request": "true", "Origin": appliance.url}
    fragment = visitor.session.post(
        f"{appliance.url}/webhooks/{webhook}/test", headers=headers, timeout=10
    ).text
    assert "<html" not in fragment
    delivery = re.findall(r"/deliveries/(\d+)", fragment)[0]
    result: str = eventually(
        lambda: "404" in (page := visitor.get(f"/deliveries/{delivery}/tried").text) and page
    )
    assert "The receiver answered 404" in text_of(result) and "hx-trigger" not in result
    assert json.loads(receiver.wait(path)[0].body)["test"] is True


def test_a_rotated_secret_is_shown_once(appliance: Appliance, visitor: Visitor, place: Place) -> None:
    added = appliance.webhook(place[0], "https://crm.example/")
    where = f"/webhooks/{added['id']}"
    assert "For 24 hours messages are signed with both secrets" in visitor.get(f"{where}/rotate").text
    page = visitor.get(visitor.post(f"{where}/rotate").headers["Location"]).text
    shown = re.findall(r"whsec_[A-Za-z0-9+/=]+", html.unescape(page))
    assert len(shown) == 1 and shown[0] != added["secret"]
    page = visitor.get(where).text
    assert "whsec_" not in page and "The old secret is valid until" in page
    refused = visitor.post(f"{where}/rotate")
    assert refused.status_code == 409 and "Two secrets are valid until" in refused.text
    assert "<button" not in visitor.get(f"{where}/rotate").text.partition("<main")[2].partition("</main>")[0]
    assert visitor.post(f"{where}/end-secret").status_code == 303
    assert "The old secret" not in visitor.get(where).text.replace("The old secret no longer signs", "")
    assert visitor.post(f"{where}/rotate").status_code == 303


def test_a_location_is_asked_for_before_its_events_are_refused(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    where = f"/locations/{appliance.location_id(place[0])}"
    page = visitor.get(where).text
    for path in (f"{where}/pause", f"{where}/rotate"):
        assert f'href="{path}"' in page and f'action="{path}"' not in page
        assert visitor.get(path).status_code == 200
    appliance.ring(place[1])
    assert "are lost" in visitor.get(f"{where}/pause").text
    assert visitor.post(f"{where}/pause").status_code == 303
    appliance.ring(place[1], 403)
    assert f'action="{where}/resume"' in visitor.get(where).text


def test_resending_what_failed_since_counts_first_and_shows_how_far_it_is(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    path = f"/{uuid.uuid4().hex}"
    receiver.answers[path] = [500, 500, 500, 200]
    webhook = appliance.webhook(place[0], receiver.url(path))["id"]
    call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, webhook) == ["failed"], seconds=20)
    span = {"since": "2026-01-01T00:00", "state": "failed"}
    where = f"/webhooks/{webhook}/replay"
    assert "1 delivery would be sent again" in text_of(visitor.get(f"{where}?since=2026-01-01T00:00").text)
    assert "0 deliveries" in text_of(visitor.get(f"{where}?since=2026-01-01T00:00&state=expired").text)
    assert visitor.get(f"{where}?since=soon").status_code == 422
    begun = visitor.post(where, **span)
    assert begun.status_code == 303
    page = begun.headers["Location"]
    eventually(lambda: "1 of 1" in text_of(visitor.get(page).text) and "Done" in visitor.get(page).text)
    eventually(lambda: states(appliance, webhook) == ["delivered"])
    assert visitor.post(f"{page}/cancel").status_code == 409, "it has ended"


def test_a_delivery_tells_its_attempts_its_call_and_its_curl(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    need(shutil.which("curl"), "curl is missing: apt install curl")
    path = f"/{uuid.uuid4().hex}"
    receiver.answers[path] = [503, 200]
    webhook = appliance.webhook(place[0], receiver.url(path), status="missed")["id"]
    call(appliance, place[1], "ringing", "missed", note="it's a 'test'")
    eventually(lambda: states(appliance, webhook) == ["delivered"])
    delivery = appliance.cli("delivery", "list", "--webhook", webhook)[0]["id"]
    page = visitor.get(f"/deliveries/{delivery}").text
    shown = text_of(page)
    assert "at attempt 2" in shown and "The receiver answered 503." in shown
    assert shown.count("webhook-signature") >= 2
    assert shown.index("Incoming Call, Ringing") < shown.rindex("Incoming Call, Missed")
    assert "Matched no webhook" in shown, "the ringing was for nobody, and is part of the story"
    # The command does what the delivery did.
    command = html.unescape(re.findall(r'<pre id="curl"[^>]*>(.*?)</pre>', page, re.DOTALL)[0])
    subprocess.run(command, shell=True, check=True, capture_output=True, timeout=10)
    bodies = {request.body for request in receiver.wait(path, 3)}
    assert len(bodies) == 1
    # Resend opens the same delivery again.
    visitor.post(f"/deliveries/{delivery}/resend")
    ids = {request.headers["webhook-id"] for request in receiver.wait(path, 4)}
    assert len(ids) == 1
    event = re.findall(r'href="(/events/\d+)"', page)[0]
    assert "matched no webhook" in text_of(visitor.get(event).text)


def test_a_recording_can_be_heard_and_its_state_is_told(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    path = f"/{uuid.uuid4().hex}"
    webhook = appliance.webhook(place[0], receiver.url(path), "media")["id"]
    client.send(appliance, place[1], sounds.long_wav(2), type="voicemail")
    receiver.wait(path)
    delivery = appliance.cli("delivery", "list", "--webhook", webhook)[0]["id"]
    page = visitor.get(f"/deliveries/{delivery}").text
    audio = re.search(r'<audio[^>]* src="([^"]+)"', page)
    assert audio and audio[1].startswith("/api/media/download/")
    heard = visitor.get(html.unescape(audio[1]))
    assert heard.headers["Content-Type"] == "audio/mpeg" and len(heard.content) > 1000
    assert "&#34;attachments&#34;: &#34;http" in page


def test_a_call_or_a_number_is_erased_with_a_look_first_and_progress(
    appliance: Appliance, visitor: Visitor, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/erased"))["id"]
    digits = f"4940{uuid.uuid4().int % 10**8:08}"
    for _ in range(3):
        call(appliance, place[1], "ringing", "ended", **{"from": f"+{digits}"})
    kept = call(appliance, place[1], "ringing")
    gone = call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, webhook) == ["delivered"] * 8)
    look = text_of(visitor.get(f"/erase?number={digits[-9:]}").text)
    assert f"{digits} : 6 events" in look
    assert "No event has a number with these last digits" in text_of(
        visitor.get("/erase?number=000111000").text
    )
    page = visitor.post("/erase", number=f"+{digits}").headers["Location"]
    eventually(lambda: "6 of 6 events erased" in text_of(visitor.get(page).text))
    eventually(lambda: "Done" in text_of(visitor.get(page).text))
    assert digits not in visitor.get("/history").text and digits not in visitor.get(page).text
    page = visitor.post("/erase", call=gone).headers["Location"]
    eventually(lambda: "1 of 1 event erased" in text_of(visitor.get(page).text))
    eventually(lambda: "Done" in text_of(visitor.get(page).text))
    left = [row[0] for row in appliance.rows("SELECT thread_key FROM event")]
    assert kept in left and gone not in left
    assert visitor.post("/erase", number=" ").status_code == 422
    assert visitor.post(f"{page}/cancel").status_code == 409


# --- every page ---


@pytest.mark.databases("one")
def test_hostile_text_is_harmless_on_every_page(appliance: Appliance, filled: Filled) -> None:
    visitor = Visitor(appliance)
    token = appliance.location(f"<img src=x>{uuid.uuid4().hex[:6]}")
    assert token
    seen = 0
    pages = {**filled.pages, "hostile": f"/deliveries/{appliance.rows('SELECT max(id) FROM delivery')[0][0]}"}
    for name, path in pages.items():
        page = visitor.get(path).text
        assert "<script>alert" not in page and "<img src=x>" not in page, name
        assert not re.search(r"<[^>]*\s(on\w+|style)=|<style|<script(?![^>]*\ssrc=)|javascript:", page), name
        seen += "&lt;script&gt;alert" in page
    assert seen >= 3, "it is shown, as text"


def test_every_page_is_small_and_leads_only_to_pages_that_are_there(
    appliance: Appliance, filled: Filled
) -> None:
    visitor = Visitor(appliance)
    led: set[str] = set()
    for name, path in filled.pages.items():
        answer = visitor.get(path)
        wanted = {"not-found": 404, "deliveries-wrong": 422}.get(name, 200)
        assert answer.status_code == wanted, (name, answer.text)
        assert len(answer.content) < 100_000, name
        assert "Content-Security-Policy" in answer.headers
        led |= {
            urljoin(path, html.unescape(link)).partition("#")[0]
            for link in re.findall(r'(?:href|src)="([^"#]+)"', answer.text)
        }
    assert len(led) > 40
    # Of those that differ by a number only, one.
    links = sorted(led - set(filled.pages.values()))
    others = {re.sub(r"\d+|[0-9a-f]{8}-[0-9a-f-]{27}", "", link): link for link in links}
    for link in others.values():
        assert link.startswith("/"), f"{link} leads to another host"
        assert visitor.get(link).status_code == 200, link


@pytest.mark.parametrize("number_", [1 << 31, (1 << 63) - 1, 1 << 63, 10**30])
def test_a_number_that_no_row_has_is_404(appliance: Appliance, visitor: Visitor, number_: int) -> None:
    before = len(appliance.log)
    pages = (
        "/deliveries/{}", "/events/{}", "/events/{}/body", "/deliveries/{}/attempts/1", "/webhooks/{}",
        "/webhooks/{}/edit", "/locations/{}", "/locations/{}/webhooks", "/replays/{}", "/erasures/{}",
    )  # fmt: skip
    for path in pages:
        assert visitor.get(path.format(number_)).status_code == 404, path
    for path in ("/webhooks/{}/pause", "/deliveries/{}/resend", "/locations/{}/rotate", "/replays/{}/pause"):
        assert visitor.post(path.format(number_)).status_code == 404, path
    assert visitor.post("/connect", location=str(number_)).status_code in (404, 422)
    for query in ("before={}", "page={}"):
        assert visitor.get(f"/deliveries?{query.format(number_)}").status_code == 200
    assert not re.search(r" web\S* ERROR: ", appliance.log[before:])


@pytest.mark.databases("one")
@pytest.mark.parametrize("host", ["a" * 64, "9" * 5000, "a..b", "xn--", "[::1", "a b", "x:abc"])
def test_a_host_that_is_none_is_no_internal_error(appliance: Appliance, host: str) -> None:
    """No link of a page could be made for it, not even of the page that tells of an error."""
    headers = {"Host": host, "Accept": "text/html"}
    for path in ("/deliveries", "/login", "/nothing"):
        assert appliance.get(path, headers=headers).status_code < 500, path


def test_who_was_logged_out_comes_back_to_the_page_that_was_open(appliance: Appliance) -> None:
    visitor = Visitor(appliance)
    visitor.post("/logout")
    visitor.session.headers["Referer"] = f"{appliance.url}/webhooks/7/edit"
    assert visitor.post("/webhooks/7/edit").headers["Location"] == "/login?next=/webhooks/7/edit"
    live = {"HX-Request": "true", "HX-Current-URL": f"{appliance.url}/deliveries?state=held"}
    led = visitor.get("/deliveries", headers=live).headers["HX-Redirect"]
    assert led == "/login?next=/deliveries?state%3Dheld"
    visitor.session.headers["Referer"] = "https://evil.example/webhooks/7"
    assert visitor.post("/webhooks/7/edit").headers["Location"] == "/login"


@pytest.mark.databases("one")
def test_under_a_path_prefix_every_link_has_it(start_appliance: Callable[..., Appliance]) -> None:
    appliance = start_appliance(SPOKE_TRUSTED_PROXIES="127.0.0.0/8")
    appliance.location("Office")
    appliance.webhook("Office", "http://127.0.0.1:1/")
    visitor = Visitor(appliance)
    visitor.session.headers["X-Forwarded-Prefix"] = "/hooks"
    for path in (
        "/",
        "/deliveries",
        "/locations/1/webhooks",
        "/locations/1/webhooks/new/call",
        "/webhooks/1",
    ):
        page = visitor.get(path).text
        links = re.findall(r'(?:href|src|action|hx-get|hx-post)="([^"#]+)"', page)
        assert len(links) > 5 and all(link.startswith("/hooks/") for link in links), (path, links)
    assert visitor.post("/webhooks/1/pause").headers["Location"].startswith("/hooks/webhooks/1")
    visitor.session.headers["Referer"] = f"{appliance.url}/hooks/settings"
    assert visitor.post("/theme", theme="dark").headers["Location"] == "/hooks/settings"


def test_every_change_is_in_the_history_with_who_made_it(appliance: Appliance, visitor: Visitor) -> None:
    name = f"Shop {uuid.uuid4().hex[:6]}"
    appliance.location(name)
    where = appliance.location_id(name)
    for path, fields in (
        (f"/locations/{where}/pause", {}), (f"/locations/{where}/resume", {}),
        (f"/locations/{where}/rotate", {}), (f"/locations/{where}/rename", {"name": f"{name} 2"}),
        (f"/locations/{where}/delete", {}),
    ):  # fmt: skip
        assert visitor.post(path, **fields).status_code == 303, path
    rows = [
        re.sub(r"<[^>]+>", " ", row)
        for row in re.findall(r"<tr>(.*?)</tr>", visitor.get("/history").text, re.DOTALL)
    ]
    told = [" ".join(html.unescape(row).split()) for row in rows if name in row]
    for said in ("paused", "resumed", "token rotated", f"renamed to '{name} 2'", "deleted"):
        assert any(said in row and "admin, from 127.0.0.1" in row for row in told), (said, told)
    assert any("added" in row and "command line" in row for row in told)


@pytest.mark.databases("one")
def test_settings_say_where_they_come_from_and_no_secret(appliance: Appliance, visitor: Visitor) -> None:
    page = visitor.get("/settings").text
    shown = text_of(page)
    assert "SPOKE_RETRY_SCHEDULE 1 second, 1 second environment" in shown
    assert "SPOKE_TIMEOUT 15 seconds" in shown and "SPOKE_MAX_MEDIA 256.0 MiB" in shown
    assert "correct horse" not in page and "SPOKE_ADMIN_PASSWORD ••• environment" in shown
    assert "Python" in shown and "Workers running 2" in shown
    for field in Settings.model_fields:  # one that is added later, too
        secret = any(part in field for part in ("key", "password", "secret")) or variable(field).endswith(
            "_URL"
        )
        assert field in SECRET_FIELDS or not secret or field == "public_url", field


@pytest.mark.databases("one")
def test_a_page_that_is_reached_by_another_address_than_links_say_tells_it(
    appliance: Appliance, visitor: Visitor
) -> None:
    told = "You reached this page as http://pbx.lan:8090, but links say"
    kept = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.session.cookies)
    page = text_of(visitor.get("/", headers={"Host": "pbx.lan:8090", "Cookie": kept}).text)
    assert told in page and "SPOKE_PUBLIC_URL" in page
    for own in (f"127.0.0.1:{appliance.port}", f"localhost:{appliance.port}"):
        answer = visitor.get("/settings", headers={"Host": own, "Cookie": kept})
        assert "Configuration" in answer.text and "You reached this page" not in answer.text


@pytest.mark.databases("one")
def test_the_log_in_page_says_why_one_came_to_it(appliance: Appliance) -> None:
    assert "Log in to see that page." in appliance.get("/login?next=/settings").text
    assert "Log in to see that page." not in appliance.get("/login?next=/").text
    visitor = Visitor(appliance)
    visitor.post("/logout")
    assert "You are logged out." in visitor.get("/login").text


def test_a_webhook_that_was_never_tried_is_not_told_to_work(
    appliance: Appliance, visitor: Visitor, place: Place
) -> None:
    appliance.webhook(place[0], "https://crm.example/hook")
    pages = [visitor.get(f"/?page={page}").text for page in range(1, 9)]
    cards = {card for page in pages for card in re.findall(r'<li class="card">.*?</li>', page, re.DOTALL)}
    (card,) = [text_of(card) for card in cards if place[0] in card]
    assert "Nothing sent yet" in card and "Working" not in card


@pytest.mark.databases("one")
def test_a_theme_is_kept_and_rendered_by_the_server(appliance: Appliance, visitor: Visitor) -> None:
    assert 'data-theme="system"' in visitor.get("/").text
    assert visitor.post("/theme", theme="dark").status_code == 303
    assert 'data-theme="dark"' in visitor.get("/").text
    visitor.post("/theme", theme="<x>")
    assert 'data-theme="dark"' in visitor.get("/").text


def test_hostile_text_is_long_and_strange() -> None:
    assert "\u202e" in HOSTILE and len(HOSTILE) > 900
