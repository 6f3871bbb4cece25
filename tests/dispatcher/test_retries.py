"""What a receiver's answer does to the delivery and to its webhook."""

import itertools
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from appliance import Appliance, Place, eventually
from receiver import Answer, Receiver


def deliveries(appliance: Appliance, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    """A webhook's deliveries, oldest first."""
    found: list[dict[str, Any]] = appliance.cli(
        "delivery", "list", "--webhook", webhook["id"], "--limit", 1000
    )
    return found[::-1]


def settled(
    appliance: Appliance, webhook: dict[str, Any], state: str, count: int = 1, seconds: float = 10
) -> None:
    def all_there() -> bool:
        return [one["state"] for one in deliveries(appliance, webhook)].count(state) >= count

    eventually(all_there, seconds, 0.05)


def show(appliance: Appliance, webhook: dict[str, Any]) -> dict[str, Any]:
    """Its newest delivery, with the attempts."""
    newest = appliance.cli("delivery", "list", "--webhook", webhook["id"], "--limit", 1)[0]
    found: dict[str, Any] = appliance.cli("delivery", "show", newest["id"])
    return found


def state(appliance: Appliance, webhook: dict[str, Any]) -> tuple[str, str | None]:
    one = next(one for one in appliance.cli("webhook", "list") if one["id"] == webhook["id"])
    return one["state"], one["reason"]


def test_500_twice_then_200_is_three_attempts_at_the_schedules_distances(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """The schedule is 1 and 1 seconds, ±20 %."""
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(500, body=b"out of order"), 500, 200]
    event_id = appliance.ring(place[1])
    got = receiver.wait("/hook", 3)
    assert {one.webhook_id for one in got} == {event_id}
    assert len({one.headers["webhook-timestamp"] for one in got}) > 1, "each attempt is signed anew"
    for earlier, later in itertools.pairwise(got):
        assert 0.75 < later.at - earlier.at < 5
    settled(appliance, webhook, "delivered")
    log = show(appliance, webhook)["log"]
    assert [(one["n"], one["status"]) for one in log] == [(1, 500), (2, 500), (3, 200)]
    assert log[0]["error"] == "The receiver answered 500."


def test_when_the_schedule_is_over_it_has_failed_and_can_be_sent_again(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [503, 503, 503, 200]
    appliance.ring(place[1])
    settled(appliance, webhook, "failed")
    failed = show(appliance, webhook)
    assert (failed["attempts"], failed["reason"]) == (3, "The receiver answered 503.")
    assert appliance.cli("delivery", "resend", failed["id"])["state"] == "pending"
    got = receiver.wait("/hook", 4)
    assert len({one.webhook_id for one in got}) == 1
    settled(appliance, webhook, "delivered")
    assert show(appliance, webhook)["attempts"] == 4


def test_410_disables_the_webhook_and_its_later_events_are_held(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [410, 200]
    appliance.ring(place[1])
    eventually(lambda: state(appliance, webhook) == ("disabled", "The receiver answered 410 Gone."))
    appliance.ring(place[1])
    settled(appliance, webhook, "held", 2)
    assert len(receiver.at("/hook")) == 1
    assert appliance.cli("webhook", "resume", webhook["id"])["sent"] == 2
    settled(appliance, webhook, "delivered", 2)
    assert state(appliance, webhook) == ("active", None)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_holds_the_whole_webhook(
    appliance: Appliance, receiver: Receiver, place: Place, form: str
) -> None:
    appliance.webhook(place[0], receiver.url("/hook"))
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    receiver.answers["/hook"] = [Answer(429, {"Retry-After": "2" if form == "seconds" else until}), 200]
    appliance.ring(place[1])
    first = receiver.wait("/hook")[0]
    for _ in range(3):
        appliance.ring(place[1])
    got = receiver.wait("/hook", 4)
    assert got[1].at - first.at > 1.9, "other calls are held too"


def test_a_hold_is_not_lifted_by_another_requests_success(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """Two at a time: the slower one is answered 200 while the other one's hold lasts."""
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [200, Answer(seconds=1), Answer(429, {"Retry-After": "4"}), 200]
    appliance.ring(place[1])
    settled(appliance, webhook, "delivered")
    for count in (2, 3):
        appliance.ring(place[1])
        receiver.wait("/hook", count)
    settled(appliance, webhook, "delivered", 2)
    appliance.ring(place[1])
    got = receiver.wait("/hook", 5)
    assert all(later.at - got[2].at > 3.9 for later in got[3:]), "the hold ended before its time"


@pytest.mark.databases("one")
def test_a_webhooks_own_timeout_holds_above_the_appliances(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    appliance = start_appliance(SPOKE_TIMEOUT="1")
    token = appliance.location("Office")
    patient = appliance.webhook("Office", receiver.url("/patient"), timeout=10)
    hasty = appliance.webhook("Office", receiver.url("/hasty"))
    receiver.answers |= {"/patient": [Answer(seconds=2.5)], "/hasty": [Answer(seconds=2.5)]}
    appliance.ring(token)
    settled(appliance, patient, "delivered")
    assert [one["status"] for one in show(appliance, patient)["log"]] == [200]
    assert show(appliance, hasty)["log"][0]["error"] == "No complete answer within 1 second."


def test_a_retry_after_that_is_nonsense_or_comes_with_another_status_is_ignored(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    for number, (status, value) in enumerate(
        [
            (503, "soon"), (503, "-5"), (429, "1.5"), (503, "99999999999999"), (429, "0"), (503, ""),
            (503, "Mon, 99 Foo 2020 00:00:00 GMT"), (503, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (503, "Fri, 01 Jan 99999999999 00:00:00 GMT"), (429, "9" * 400), (503, "\xb2"),
            (500, "3600"), (404, "3600"), (301, "3600"),
        ]
    ):  # fmt: skip
        appliance.webhook(place[0], receiver.url(f"/{number}"))
        receiver.answers[f"/{number}"] = [Answer(status, {"Retry-After": value}), 200]
    appliance.ring(place[1])
    for number in range(14):
        receiver.wait(f"/{number}", 2, 4)


def test_a_redirect_is_a_failure_and_is_not_followed(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [Answer(307, {"Location": receiver.url("/elsewhere")}), 200]
    appliance.ring(place[1])
    receiver.wait("/hook", 2)
    assert not receiver.at("/elsewhere")
    settled(appliance, webhook, "delivered")
    assert "redirects are not followed" in show(appliance, webhook)["log"][0]["error"]


@pytest.mark.databases("one")
@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(appliance: Appliance, receiver: Receiver, place: Place, status: int) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [status]
    appliance.ring(place[1])
    settled(appliance, webhook, "delivered")
    assert show(appliance, webhook)["attempts"] == 1


def test_a_paused_webhook_holds_and_the_admin_says_what_becomes_of_it(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    appliance.cli("webhook", "pause", webhook["id"])
    sent = [appliance.ring(place[1]) for _ in range(3)]
    settled(appliance, webhook, "held", 3)
    assert not receiver.at("/hook")
    assert appliance.cli("webhook", "resume", webhook["id"])["sent"] == 3
    assert {one.webhook_id for one in receiver.wait("/hook", 3)} == set(sent)
    appliance.cli("webhook", "pause", webhook["id"])
    appliance.ring(place[1])
    assert appliance.cli("webhook", "resume", webhook["id"], "--drop-held")["dropped"] == 1
    newest = deliveries(appliance, webhook)[-1]
    assert (newest["state"], newest["reason"]) == ("dropped", "dropped on resume")
    appliance.ring(place[1])
    receiver.wait("/hook", 4)


def test_deleting_a_webhook_drops_what_is_open_and_keeps_its_history(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    appliance.ring(place[1])
    settled(appliance, webhook, "delivered")
    appliance.cli("webhook", "pause", webhook["id"])
    appliance.ring(place[1])
    assert appliance.cli("webhook", "delete", webhook["id"])["dropped"] == 1
    kept = [(one["state"], one["reason"]) for one in deliveries(appliance, webhook)]
    assert kept == [("delivered", None), ("dropped", "webhook deleted")]
    assert appliance.event(place[1], type="incoming_call", subtype="busy").json()["deliveries"] == 0


def test_a_delivery_older_than_the_maximum_age_expires(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    """It waits behind a pause; when its turn comes it is too old. Somebody who resends it means it."""
    webhook = appliance.webhook(place[0], receiver.url("/hook"), max_age=1)
    appliance.cli("webhook", "pause", webhook["id"])
    appliance.ring(place[1])
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 1.1)
    appliance.cli("webhook", "resume", webhook["id"])
    settled(appliance, webhook, "expired")
    assert not receiver.at("/hook")
    appliance.ring(place[1])
    receiver.wait("/hook", 1)
    appliance.cli("delivery", "resend", deliveries(appliance, webhook)[0]["id"])
    receiver.wait("/hook", 2)


def test_replay_counts_first_then_sends_what_failed_in_the_span(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [500]
    before = datetime.now(UTC).isoformat()
    sent = {appliance.ring(place[1]) for _ in range(5)}
    settled(appliance, webhook, "failed", 5, 15)
    after = datetime.now(UTC).isoformat()
    receiver.answers["/hook"] = [200]
    replay = ("webhook", "replay", webhook["id"], "--since")
    assert appliance.cli(*replay, before, "--preview")["matching"] == 5
    assert appliance.cli(*replay, after, "--preview")["matching"] == 0
    assert appliance.cli(*replay, before, "--until", before, "--preview")["matching"] == 0
    done = appliance.cli(*replay, before)
    assert (done["state"], done["resent"]) == ("done", 5)
    settled(appliance, webhook, "delivered", 5)
    again = [one.webhook_id for one in receiver.at("/hook")][-5:]
    assert set(again) == sent
    assert appliance.cli("replay", "cancel", done["replay"], status=1) == (
        f"Replay {done['replay']} is done already.\n"
    )


def test_a_replay_that_nobody_drives_is_carried_on_by_housekeeping(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    from webhooks.services.replays import ReplayInput, Replays

    webhook = appliance.webhook(place[0], receiver.url("/hook"))
    receiver.answers["/hook"] = [500]
    since = datetime.now(UTC)
    for _ in range(3):
        appliance.ring(place[1])
    settled(appliance, webhook, "failed", 3, 15)
    receiver.answers["/hook"] = [200]
    replays: Replays = appliance.app.extensions["spoke"].replays
    begun = replays.begin(webhook["id"], ReplayInput(since=since))
    assert (begun.state, begun.total) == ("running", 3)
    settled(appliance, webhook, "delivered", 3)
    eventually(lambda: replays.latest(1)[0].state == "done")


def test_a_test_event_goes_to_its_webhook_alone(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    appliance.webhook(place[0], receiver.url("/other"))
    webhook = appliance.webhook(place[0], receiver.url("/hook"), type="outgoing_call", status="busy")
    appliance.cli("webhook", "test", webhook["id"])
    got = receiver.wait("/hook")[0].json
    assert (got["type"], got["subtype"], got["test"]) == ("outgoing_call", "busy", True)
    appliance.ring(place[1])
    assert "test" not in receiver.wait("/other")[0].json
    assert len(receiver.at("/other")) == 1


def test_own_headers_are_sent_and_their_values_shown_nowhere(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    secret = f"sesame-{uuid.uuid4()}"
    webhook = appliance.webhook(place[0], receiver.url("/hook"), header=f"X-Api-Key: {secret}")
    appliance.ring(place[1])
    assert receiver.wait("/hook")[0].headers["x-api-key"] == secret
    settled(appliance, webhook, "delivered")
    listed = next(one for one in appliance.cli("webhook", "list") if one["id"] == webhook["id"])
    assert listed["options"]["headers"] == {"X-Api-Key": "•••"}
    rows = appliance.rows("SELECT request_headers FROM attempt WHERE request_headers LIKE '%X-Api-Key%'")
    assert rows and secret not in str(rows) + appliance.log
