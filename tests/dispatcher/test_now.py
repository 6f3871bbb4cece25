""" "Try now": due at once, past back-off, circuit breaker and Retry-After; in order; one first."""

import contextlib
import time
import uuid
from typing import Any

import pytest
from appliance import Appliance, Place, eventually, free_port
from receiver import Answer, Receiver

from webhooks.db.meta import config_changed


@pytest.fixture
def office(patient: Appliance) -> Place:
    """A location of the test's own: name and token."""
    name = f"Office {uuid.uuid4().hex[:8]}"
    return name, patient.location(name)


def deliveries(patient: Appliance, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    """A webhook's deliveries, oldest first."""
    found: list[dict[str, Any]] = patient.cli("delivery", "list", "--webhook", webhook["id"])
    return found[::-1]


def phases(patient: Appliance, webhook: dict[str, Any], *wanted: str) -> list[int]:
    """Wait until its deliveries, oldest first, stand so. Returns their ids."""
    with contextlib.suppress(AssertionError):  # what they are instead is told below
        eventually(lambda: [one["phase"] for one in deliveries(patient, webhook)] == [*wanted], 15, 0.05)
    found = deliveries(patient, webhook)
    assert [one["phase"] for one in found] == [*wanted], [one["explanation"] for one in found]
    return [one["id"] for one in found]


def health(patient: Appliance, webhook: dict[str, Any]) -> Any:
    return next(one for one in patient.cli("webhook", "list") if one["id"] == webhook["id"])


def test_a_retry_due_in_ten_minutes_goes_now(patient: Appliance, receiver: Receiver, office: Place) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [500, 200]
    patient.ring(office[1])
    (id_,) = phases(patient, webhook, "retrying")
    told = patient.cli("delivery", "now", id_)
    assert (told["state"], told["explanation"]) == ("delivered", "The receiver took it at attempt 2.")
    assert len(receiver.at("/hook")) == 2


def test_now_on_a_delivery_tells_that_it_failed_again(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [500, 404]
    patient.ring(office[1])
    (id_,) = phases(patient, webhook, "retrying")
    told = patient.invoke("delivery", "now", id_)
    assert told.exit_code == 1
    assert f"Delivery {id_}: Retrying. The receiver answered 404. 2 tries failed" in told.stdout


def test_all_that_waits_goes_now_one_first_past_an_open_circuit(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    """While the probe hangs no other one goes; once it is answered all do."""
    webhook = patient.webhook(office[0], f"http://127.0.0.1:{free_port()}/hook")
    for _ in range(12):
        patient.ring(office[1])
    eventually(lambda: health(patient, webhook)["explanation"].startswith("Since"), 15)
    eventually(lambda: [one["attempts"] for one in deliveries(patient, webhook)].count(1) >= 5, 15)
    receiver.answers["/hook"] = [Answer(seconds=0.5), 200]
    patient.cli("webhook", "edit", webhook["id"], "--url", receiver.url("/hook"))
    told = patient.cli("webhook", "now", webhook["id"])
    assert told["waiting"] >= 11 and told["explanation"].startswith("The receiver took it at attempt")
    got = receiver.wait("/hook", 12, 15)
    assert all(one.at - got[0].at > 0.45 for one in got[1:]), "the others went beside the probe"
    phases(patient, webhook, *["delivered"] * 12)
    assert health(patient, webhook)["health"] == "working"


def test_a_probe_that_fails_says_so_and_the_others_wait_on(patient: Appliance, office: Place) -> None:
    webhook = patient.webhook(office[0], f"http://127.0.0.1:{free_port()}/hook")
    for _ in range(8):
        patient.ring(office[1])
    eventually(lambda: [one["attempts"] for one in deliveries(patient, webhook)].count(1) >= 5, 15)
    tried = sum(one["attempts"] for one in deliveries(patient, webhook))
    told = patient.invoke("webhook", "now", webhook["id"])
    assert (
        told.exit_code == 1 and f"Webhook {webhook['id']}: 8 waiting deliveries are tried now." in told.stdout
    )
    assert "went first: Retrying. The receiver refused the connection" in told.stdout
    assert sum(one["attempts"] for one in deliveries(patient, webhook)) > tried
    now = health(patient, webhook)
    assert now["health"] == "failing" and now["waiting"] == 8
    assert "nothing listens at that address and port. 8 deliveries wait, next try at" in now["explanation"]


def test_a_retry_after_ends_by_now_and_the_next_one_holds_again(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [
        Answer(429, {"Retry-After": "3600"}),
        Answer(429, {"Retry-After": "3600"}),
        200,
    ]
    for _ in range(3):
        patient.ring(office[1])
    phases(patient, webhook, "retrying", "waiting", "waiting")
    told = patient.invoke("webhook", "now", webhook["id"])
    assert told.exit_code == 1 and "went first: Retrying. The receiver answered 429" in told.stdout
    assert "(Retry-After)" in health(patient, webhook)["explanation"]
    assert len(receiver.at("/hook")) == 2, "one goes first"
    patient.cli("webhook", "now", webhook["id"])
    receiver.wait("/hook", 5)
    phases(patient, webhook, *["delivered"] * 3)


def test_now_on_one_delivery_sends_the_earlier_messages_of_its_call_first(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(503, {"Retry-After": "3600"}), 200]
    patient.ring(office[1])
    phases(patient, webhook, "retrying")
    call = str(uuid.uuid4())
    for status in ("ringing", "answered", "ended"):
        patient.ring(office[1], thread_id=call, subtype=status)
    ids = phases(patient, webhook, "retrying", "waiting", "waiting", "waiting")
    assert patient.cli("delivery", "now", ids[3])["state"] == "delivered"
    told = [one.json["subtype"] for one in receiver.wait("/hook", 4) if one.json["thread_id"] == call]
    assert told == ["ringing", "answered", "ended"]


def test_what_does_not_wait_cannot_be_tried_now(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    patient.ring(office[1])
    (id_,) = phases(patient, webhook, "delivered")
    refused = patient.cli("delivery", "now", id_, status=1)
    assert refused == f"Delivery {id_} is delivered: resend it to send it again.\n"
    patient.cli("webhook", "pause", webhook["id"])
    patient.ring(office[1])
    _, held = phases(patient, webhook, "delivered", "held")
    refused = patient.cli("delivery", "now", held, status=1)
    assert refused == f"Delivery {held} is held: resume webhook {webhook['id']} to send it.\n"
    refused = patient.cli("webhook", "now", webhook["id"], status=1)
    assert refused == f"Webhook {webhook['id']} is paused. Resume it to send what is held.\n"


def test_resend_takes_in_what_waits_for_a_retry(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [500, 500, 500, 200]
    for _ in range(3):
        patient.ring(office[1])
    phases(patient, webhook, "retrying", "retrying", "retrying")
    replay = ("webhook", "replay", webhook["id"], "--since", "2026-01-01")
    assert patient.cli(*replay, "--preview")["matching"] == 3
    assert patient.cli(*replay, "--state", "failed", "--preview")["matching"] == 0
    assert patient.cli(*replay)["resent"] == 3
    phases(patient, webhook, "delivered", "delivered", "delivered")


def test_a_test_event_that_fails_is_told_and_counts_for_nothing(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [410, 200]
    told = patient.invoke("webhook", "test", webhook["id"])
    assert told.exit_code == 1 and "Test failed. The receiver answered 410" in told.stdout
    (only,) = deliveries(patient, webhook)
    assert (only["state"], only["attempts"]) == ("dropped", 1), "it is sent once"
    now = health(patient, webhook)
    assert (now["state"], now["health"]) == ("active", "nothing sent yet")
    assert patient.cli("delivery", "list", "--webhook", webhook["id"], "--state", "failing") == []
    told = patient.cli("webhook", "test", webhook["id"])
    assert (told["delivered"], told["status"]) == (True, 200)
    assert health(patient, webhook)["health"] == "nothing sent yet"


def test_a_test_event_is_the_probe_of_an_open_circuit(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    """It goes at once, and real deliveries after it: it counts neither for nor against the receiver."""
    webhook = patient.webhook(office[0], f"http://127.0.0.1:{free_port()}/hook")
    for _ in range(6):
        patient.ring(office[1])
    eventually(lambda: [one["attempts"] for one in deliveries(patient, webhook)].count(1) >= 5, 15)
    patient.cli("webhook", "edit", webhook["id"], "--url", receiver.url("/hook"))
    far = int(time.time() * 1000) + 300_000
    with patient.app.extensions["spoke"].store.direct() as direct:  # as after many probes
        direct.run(
            "UPDATE lane SET probe_at = :far WHERE webhook_id = :id", {"far": far, "id": webhook["id"]}
        )
        config_changed(direct)
    assert patient.cli("webhook", "test", webhook["id"])["delivered"] is True
    assert receiver.wait("/hook", 1)[0].json["test"] is True
    patient.ring(office[1])
    eventually(lambda: deliveries(patient, webhook)[-1]["state"] == "delivered")
    assert health(patient, webhook)["health"] == "working"


def test_failing_is_what_is_retried_and_what_has_failed(
    patient: Appliance, receiver: Receiver, office: Place
) -> None:
    webhook = patient.webhook(office[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [200, 500]
    patient.ring(office[1])
    phases(patient, webhook, "delivered")
    for _ in range(2):
        patient.ring(office[1])
    ids = phases(patient, webhook, "delivered", "retrying", "retrying")
    for _ in range(2):
        patient.cli("delivery", "now", ids[1], status=1)
    phases(patient, webhook, "delivered", "failed", "retrying")
    listed = patient.cli("delivery", "list", "--webhook", webhook["id"], "--state", "failing")
    assert [one["id"] for one in listed] == [ids[2], ids[1]]
