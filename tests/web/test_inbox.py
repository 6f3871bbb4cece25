"""The test inbox: what came is shown, whether its signature holds; it answers as told and exempts no more."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests
from appliance import Appliance, Place, Visitor, eventually
from sample_data import call, states
from standardwebhooks import Webhook as Signer

from webhooks.runtime.logs import redact


@pytest.fixture
def inbox(visitor: Visitor) -> str:
    """A new one's id, by one press."""
    return visitor.post("/inboxes").headers["Location"].rpartition("/")[2]


def test_a_message_is_shown_with_its_headers_and_that_its_signature_holds(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str
) -> None:
    webhook = appliance.webhook(place[0], f"{appliance.url}/inbox/{inbox}", header="X-Shop: seven")["id"]
    mark = uuid.uuid4().hex
    call(appliance, place[1], "missed", from_name=mark)
    page: str = eventually(lambda: mark in (text := visitor.get(f"/inboxes/{inbox}").text) and text)
    assert f"verified with the secret of webhook {webhook}" in page
    assert "X-Shop: seven" in page and "Webhook-Signature: v1," in page
    appliance.cli("webhook", "rotate", webhook)
    call(appliance, place[1], "ended")
    fragment = visitor.get(f"/inboxes/{inbox}", headers={"HX-Request": "true"}).text
    assert fragment.strip().startswith("<div") and "<html" not in fragment


def test_a_message_of_somebody_else_is_shown_for_what_it_is(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str
) -> None:
    address = f"/inbox/{inbox}"
    assert appliance.post(address, data=b"\xff\0<script>").status_code == 200
    assert (
        "Not signed: webhook-id, webhook-timestamp, webhook-signature are missing"
        in visitor.get(f"/inboxes/{inbox}").text
    )
    signed = {"webhook-id": "x", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    appliance.post(address, data=b"{}", headers=signed)
    assert "no webhook sends to this inbox" in visitor.get(f"/inboxes/{inbox}").text
    appliance.webhook(place[0], appliance.url + address)
    appliance.post(address, data=b"{}", headers=signed)
    assert "The signature is not valid" in visitor.get(f"/inboxes/{inbox}").text
    assert "<script>" not in visitor.get(f"/inboxes/{inbox}").text.replace("<script src", "")


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("v1", b"{}"),
        ("", b"{}"),
        ("v1,A", b"{}"),
        ("v1,a,b", b"{}"),
        ("v1,AAAA", b"\xff\xfe\0"),
        ("v1,\xe4", b"x"),
    ],
    ids=["no-comma", "empty", "no-base64", "two-commas", "no-text", "beyond-ascii"],
)
def test_what_no_library_can_verify_is_kept_and_shown(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str, signature: str, body: bytes
) -> None:
    appliance.webhook(place[0], f"{appliance.url}/inbox/{inbox}")
    signed = {
        "webhook-id": "x",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": signature.encode("latin-1"),
    }
    answer = appliance.post(f"/inbox/{inbox}", data=body, headers=signed)
    assert answer.status_code == 200, answer.text
    assert "The signature is not valid" in visitor.get(f"/inboxes/{inbox}").text
    assert appliance.get(f"/inbox/{inbox}/../{inbox}").status_code < 500
    assert inbox not in appliance.log


def test_a_signed_body_that_is_no_json_holds(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str
) -> None:
    secret = appliance.webhook(place[0], f"{appliance.url}/inbox/{inbox}")["secret"]
    now = datetime.now(UTC)
    sign = Signer(secret).sign("x", now, "no JSON")
    headers = {"webhook-id": "x", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": sign}
    assert appliance.post(f"/inbox/{inbox}", data=b"no JSON", headers=headers).status_code == 200
    assert "The signature is valid" in visitor.get(f"/inboxes/{inbox}").text


def test_nul_in_an_address_is_404(appliance: Appliance, visitor: Visitor) -> None:
    """PostgreSQL has no text with it."""
    assert appliance.post("/inbox/%00x", data=b"{}").status_code == 404
    for path in ("/inbox/%00x", "/inboxes/%00x", "/inboxes/%00x/messages/1"):
        assert visitor.get(path).status_code == 404, path
    for action in ("answer", "point", "clear", "delete"):
        assert visitor.post(f"/inboxes/%00x/{action}").status_code == 404, action


def test_an_inbox_is_told_in_the_log_by_its_beginning_alone() -> None:
    line = redact(
        "Exception on /inbox/AbCdEfGhIjKlMnOpQrSt [POST] https://x/inboxes/AbCdEfGhIjKlMnOpQrSt/point"
    )
    assert line == "Exception on /inbox/AbCdEf\u2026 [POST] https://x/inboxes/AbCdEf\u2026"


@pytest.mark.databases("one")
def test_it_answers_as_it_is_set(appliance: Appliance, visitor: Visitor, place: Place, inbox: str) -> None:
    webhook = appliance.webhook(place[0], f"{appliance.url}/inbox/{inbox}")["id"]
    assert visitor.post(f"/inboxes/{inbox}/answer", status="500", delay="0").status_code == 303
    call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, webhook) == ["failed"], seconds=20)
    assert visitor.post(f"/inboxes/{inbox}/answer", status="204", delay="1.5").status_code == 303
    call(appliance, place[1], "ended")
    eventually(lambda: states(appliance, webhook)[0] == "delivered")
    delivery = appliance.cli("delivery", "list", "--webhook", webhook)[0]["id"]
    (attempt,) = appliance.cli("delivery", "show", delivery)["log"]
    assert attempt["status"] == 204 and attempt["milliseconds"] >= 1500
    for status, delay in (("200", "10.1"), ("200", "-1"), ("200", "soon"), ("200", "inf"), ("999", "0")):
        answer = visitor.post(f"/inboxes/{inbox}/answer", status=status, delay=delay)
        assert answer.status_code == 422 and 'aria-invalid="true"' in answer.text, (status, delay)


@pytest.mark.databases("one")
def test_three_slow_answers_go_at_a_time_and_the_hook_does_not_wait(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str
) -> None:
    visitor.post(f"/inboxes/{inbox}/answer", status="200", delay="5")
    answers: list[requests.Response] = []

    def ask() -> None:
        answers.append(requests.post(f"{appliance.url}/inbox/{inbox}", data=b"{}", timeout=20))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answers) == 17)
    call(appliance, place[1], "ringing")
    assert len(answers) == 17, "the hook waits for the inbox"
    for thread in threads:
        thread.join()
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] * 3 + [503] * 17
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 503} == {"1"}


@pytest.mark.databases("one")
def test_only_its_own_address_is_exempt_behind_a_proxy_and_tls_too(
    start_appliance: Callable[..., Appliance],
) -> None:
    """The public address leads elsewhere, and no network is allowed: the message goes to our own socket."""
    public = "https://spoke.invalid/hooks"
    appliance = start_appliance(
        SPOKE_PUBLIC_URL=public,
        SPOKE_ALLOW_NETS="",
        SPOKE_RETRY_SCHEDULE="1",
        SPOKE_PROXY="http://127.0.0.1:9",
    )
    appliance.location("Office")
    inboxes = appliance.app.extensions["spoke"].inboxes
    made = inboxes.add()
    inbox, address = made.id, inboxes.address(made)
    assert address.startswith(f"{public}/inbox/")
    own = appliance.webhook("Office", address)["id"]
    appliance.cli("webhook", "test", own)
    eventually(lambda: states(appliance, own) == ["delivered"])
    assert "The signature is valid" in inboxes.messages(inbox)[0].verdict
    near = (
        f"/inbox/{inbox}/",
        f"/inbox/{inbox}/../../healthz",
        f"/inbox/{inbox}?x=1",
        "/inbox/x",
        "/healthz",
    )
    for path in near:
        said = appliance.cli("webhook", "add", "--location", "Office", "--kind", "call", "--url",
                             f"http://127.0.0.1:{appliance.port}{path}", status=1)  # fmt: skip
        assert "SPOKE_ALLOW_NETS" in said, path


def test_the_hook_takes_no_delivery_of_ours(appliance: Appliance, place: Place) -> None:
    """A webhook that is pointed at the hook would go round for ever."""
    address = f"{appliance.url}/api/events/t/{place[1]}"
    webhook = appliance.webhook(place[0], address)["id"]
    call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, webhook) == ["failed"], seconds=20)
    delivery = appliance.cli("delivery", "list", "--webhook", webhook)[0]["id"]
    attempts = appliance.cli("delivery", "show", delivery)["log"]
    assert {attempt["status"] for attempt in attempts} == {403}


def test_it_keeps_the_last_hundred_and_of_a_body_64_kib(
    appliance: Appliance, visitor: Visitor, inbox: str
) -> None:
    for number in range(103):
        appliance.post(f"/inbox/{inbox}", data=f"message {number}")
    rows = appliance.rows("SELECT body FROM inbox_message WHERE inbox_id = :i ORDER BY id", i=inbox)
    assert len(rows) == 100 and rows[0][0] == "message 3"
    appliance.post(f"/inbox/{inbox}", data=b"x" * 100_000)
    assert appliance.post(f"/inbox/{inbox}", data=b"x" * (1 << 21)).status_code == 413
    page = visitor.get(f"/inboxes/{inbox}").text
    assert "Only the first 64 KiB are kept" in page and len(page) < 100_000


def test_it_is_public_to_post_to_and_private_to_look_at(
    appliance: Appliance, visitor: Visitor, inbox: str
) -> None:
    assert appliance.post(f"/inbox/{inbox}", data=b"{}").status_code == 200
    for path in (f"/inbox/{inbox}", f"/inboxes/{inbox}", "/inboxes"):
        assert appliance.get(path).status_code == 303, path
    assert visitor.get(f"/inbox/{inbox}").headers["Location"] == f"/inboxes/{inbox}"
    assert appliance.post("/inbox/nobody-has-this-one", data=b"{}").status_code == 404
    asked = visitor.get(f"/inboxes/{inbox}/delete").text
    assert "No webhook sends to it." in asked and "1 message is deleted." in asked
    assert appliance.post(f"/inbox/{inbox}", data=b"{}").status_code == 200, "asking deletes nothing"
    assert visitor.post(f"/inboxes/{inbox}/delete").status_code == 303
    assert appliance.post(f"/inbox/{inbox}", data=b"{}").status_code == 404
    assert visitor.get(f"/inboxes/{inbox}").status_code == 404


def test_an_existing_webhook_is_pointed_at_it_by_one_press(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str
) -> None:
    webhook = appliance.webhook(place[0], "https://crm.example/")["id"]
    assert visitor.post(f"/inboxes/{inbox}/point", target=f"webhook:{webhook}").status_code == 303
    assert "Its URL was https://crm.example/" in visitor.get(f"/inboxes/{inbox}").text
    assert "1 webhook still sends to it" in visitor.get(f"/inboxes/{inbox}/delete").text
    call(appliance, place[1], "ringing")
    eventually(lambda: states(appliance, webhook) == ["delivered"])
    assert visitor.post(f"/inboxes/{inbox}/point", target="").status_code == 422


def test_a_new_webhook_for_recordings_and_voicemails_is_made_by_one_press(
    appliance: Appliance, visitor: Visitor, place: Place, inbox: str
) -> None:
    target = f"media:{appliance.location_id(place[0])}"
    page = f"/inboxes/{inbox}"
    assert f'value="{target}"' in visitor.get(page).text
    assert visitor.post(f"{page}/point", target=target).status_code == 303
    told = f"sends every recording and voicemail of {place[0]} here."
    assert told in visitor.get(page).text
    for kind in ("voicemail", "call_recording"):
        assert appliance.event(place[1], type=kind, **{"from": "+12025550123"}).status_code == 202
    call(appliance, place[1], "ringing")
    eventually(lambda: "call_recording" in visitor.get(page).text and "voicemail" in visitor.get(page).text)
    assert "incoming_call" not in visitor.get(page).text
