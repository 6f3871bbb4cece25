"""From a matter to the message about it, on a database of the test's own, with a clock that is handed in."""

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from receiver import Received, Receiver
from smtp_server import SmtpServer
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from webhooks.db.models import AlertSettings, Lane, Notice, Webhook
from webhooks.errors import Conflict, Invalid
from webhooks.services import notices as notices_module
from webhooks.services.alerts import SilenceInput
from webhooks.services.channels import MailInput, UrlInput
from webhooks.services.container import Services, compose
from webhooks.services.refusals import Refused
from webhooks.services.small_outbox import claim_due
from webhooks.services.webhook_input import WebhookInput

HOUR = timedelta(hours=1)


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    server = SmtpServer()
    yield server
    server.close()


def by_mail(services: Services, port: int, **changed: Any) -> None:
    given = {
        "host": "127.0.0.1", "port": port, "security": "none", "sender": "spoke@example.com",
        "recipients": "admin@example.com", **changed,
    }  # fmt: skip
    services.alerts.channels.save_mail(MailInput.model_validate(given))


def failing_webhook(services: Services, since: datetime) -> int:
    """A webhook that has failed since then."""
    with contextlib.suppress(Exception):
        services.locations.add("Office")
    wanted = WebhookInput(kind="call", url="http://127.0.0.1:9/")
    webhook_id = services.webhooks.add("Office", wanted).id
    set_failing(services, webhook_id, since)
    return webhook_id


def set_failing(services: Services, webhook_id: int, since: datetime | None) -> None:
    with services.store.write() as session:
        change = sa.update(Lane).where(Lane.webhook_id == webhook_id)
        session.execute(change.values(failing_since=since, failures=0 if since is None else 20))


def send_all(services: Services) -> None:
    while services.alerts.notices.send_due("mail") + services.alerts.notices.send_due("url"):
        pass


def test_a_matter_is_told_by_exactly_one_mail_and_its_recovery_by_another(
    services: Services, smtp: SmtpServer
) -> None:
    by_mail(services, smtp.port)
    now = datetime.now(UTC)
    webhook_id = failing_webhook(services, now - timedelta(minutes=11))
    for minute in range(5):
        services.alerts.look(now + timedelta(minutes=minute))
        send_all(services)
    compose(services.settings, services.store).alerts.look(now + timedelta(minutes=6))  # after a restart
    send_all(services)
    assert [mail.subject for mail in smtp.mails] == [f"Spoke: Webhook fails (webhook {webhook_id})"]
    assert "no attempt succeeded" in smtp.mails[0].text and "/alerts" in smtp.mails[0].text
    set_failing(services, webhook_id, None)
    for minute in (7, 8):
        services.alerts.look(now + timedelta(minutes=minute))
        send_all(services)
    assert [mail.subject for mail in smtp.mails[1:]] == [f"Spoke: Over: Webhook fails (webhook {webhook_id})"]
    assert f"Webhook {webhook_id} of Office delivers again." in smtp.mails[1].text
    assert services.alerts.open() == [] and len(services.alerts.closed()) == 1


def test_a_matter_that_comes_and_goes_is_told_once_an_hour(services: Services, smtp: SmtpServer) -> None:
    by_mail(services, smtp.port)
    begin = datetime.now(UTC).replace(microsecond=0)  # as the database keeps it
    webhook_id = failing_webhook(services, begin - HOUR)
    for minute in range(0, 60, 10):
        set_failing(services, webhook_id, begin - HOUR)
        services.alerts.look(begin + timedelta(minutes=minute))
        set_failing(services, webhook_id, None)
        services.alerts.look(begin + timedelta(minutes=minute + 5))
    send_all(services)
    assert len(smtp.mails) == 2  # it failed, and it recovered
    set_failing(services, webhook_id, begin - HOUR)
    services.alerts.look(begin + timedelta(minutes=59))
    services.alerts.look(begin + timedelta(minutes=60))
    send_all(services)
    assert len(smtp.mails) == 3 and "Over" not in smtp.mails[2].subject


def test_what_was_the_matter_before_anybody_was_to_be_told_is_told_then(
    services: Services, smtp: SmtpServer
) -> None:
    now = datetime.now(UTC)
    failing_webhook(services, now - HOUR)
    services.alerts.look(now)
    assert [row.told for row in services.alerts.open()] == [False]
    by_mail(services, smtp.port)
    services.alerts.look(now + timedelta(seconds=30))
    send_all(services)
    assert len(smtp.mails) == 1


def test_a_dead_mail_server_delays_no_alert_to_the_url_and_is_tried_again(
    services: Services, smtp: SmtpServer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "ATTEMPT_S", 0.3)
    hanging = SmtpServer(hangs=True)
    by_mail(services, hanging.port)
    secret = services.alerts.channels.save_url(UrlInput(url=receiver.url("/alerts")))
    webhook_id = failing_webhook(services, datetime.now(UTC) - HOUR)
    services.alerts.look()
    assert services.alerts.notices.send_due("url") == 1
    (request,) = receiver.at("/alerts")
    message = Verifier(secret or "").verify(request.body, request.headers)
    assert (message["type"], message["kind"], message["state"], message["subject"]) == (
        "alert", "webhook_failing", "open", f"webhook {webhook_id}",
    )  # fmt: skip
    assert services.alerts.notices.send_due("mail") == 1
    hanging.close()
    mail = next(one for one in services.alerts.notices.latest() if one.channel == "mail")
    assert (mail.state, mail.tries) == ("pending", 1) and "no complete answer in time" in (mail.error or "")
    assert mail.due_at > datetime.now(UTC) and services.alerts.notices.send_due("mail") == 0
    by_mail(services, smtp.port)
    make_due(services)
    send_all(services)
    assert len(smtp.mails) == 1 and len(receiver.at("/alerts")) == 1


def test_alerts_that_do_not_arrive_are_a_matter_told_the_other_way(
    services: Services, receiver: Receiver
) -> None:
    gone = SmtpServer()
    gone.close()
    by_mail(services, gone.port)
    failing_webhook(services, datetime.now(UTC) - HOUR)
    services.alerts.test()

    def after_a_try() -> dict[str, str]:
        """Matters by kind, each with its text, once what is due was tried."""
        make_due(services)
        send_all(services)
        services.alerts.look()
        return {row.kind: row.text for row in services.alerts.open()}

    services.alerts.look()
    assert after_a_try().keys() == {"webhook_failing"}, "it may have been an accident"
    assert "by e-mail: Nothing listens there" in after_a_try()["alerts_unsent"]
    assert len(services.alerts.notices.latest()) == 2, "a way that is dead tells nothing of itself"
    services.alerts.channels.save_url(UrlInput(url=receiver.url("/alerts")))
    services.alerts.look()
    send_all(services)
    assert [one.json["kind"] for one in receiver.at("/alerts")] == ["alerts_unsent"]
    back = SmtpServer()
    by_mail(services, back.port)
    assert after_a_try().keys() == {"webhook_failing"}
    assert len(back.mails) == 1
    back.close()


def make_due(services: Services) -> None:
    with services.store.write() as session:
        session.execute(sa.update(Notice).values(due_at=datetime.now(UTC)))


def test_a_message_is_given_up_after_a_day_and_a_test_at_once(services: Services) -> None:
    dead = SmtpServer()
    dead.close()
    by_mail(services, dead.port)
    (test_id,) = services.alerts.test()
    send_all(services)
    (test,) = services.alerts.notices.of([test_id])
    assert test.state == "failed" and "Nothing listens there" in (test.error or "")
    failing_webhook(services, datetime.now(UTC) - HOUR)
    services.alerts.look()
    send_all(services)
    with services.store.write() as session:
        a_day_ago = datetime.now(UTC) - timedelta(hours=24)
        session.execute(sa.update(Notice).where(Notice.state == "pending").values(created_at=a_day_ago))
    make_due(services)
    send_all(services)
    assert {one.state for one in services.alerts.notices.latest()} == {"failed"}


def test_two_processes_send_a_message_once(services: Services, smtp: SmtpServer) -> None:
    by_mail(services, smtp.port)
    ids = {*services.alerts.test(), *services.alerts.test()}
    one, other = (claim_due(services.store, Notice, "state = 'pending'") for _ in range(2))
    first = next(one).id  # it has seen both
    assert {first, next(other).id} == ids
    assert [*one, *other] == [], "each was the other's already"


def test_the_password_is_sealed_and_in_no_log_nor_history(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = SmtpServer(login=("spoke", "another"))
    by_mail(services, server.port, user="spoke", password="geheim-geheim")
    services.alerts.channels.save_url(UrlInput(url="http://127.0.0.1:9/"))
    services.alerts.test()
    send_all(services)
    server.close()
    told = next(one.error for one in services.alerts.notices.latest() if one.channel == "mail")
    assert "refused user or password" in (told or "")
    with services.store.read() as session:
        kept = session.execute(sa.text("SELECT password, secret, mail, url FROM alert_settings")).one()
        history = session.execute(sa.text("SELECT text FROM change")).all()
    assert kept.password.startswith("sealed:") and kept.secret.startswith("sealed:")
    lines = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    assert "alert not sent" in str(lines)
    for text in (*map(str, (kept, history)), *lines):
        assert "geheim-geheim" not in text and "whsec_" not in text
    by_mail(services, server.port, user="spoke")  # without a password, the former is kept
    assert services.alerts.channels.read().password == "geheim-geheim"
    by_mail(services, server.port)
    assert services.alerts.channels.read().password is None


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"host": "169.254.169.254"}, "host"),
        ({"user": "spoke"}, "password"),
    ],
)
def test_a_mail_server_that_cannot_be_is_refused(
    services: Services, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        by_mail(services, 25, **changed)
    assert caught.value.field == field
    assert services.alerts.channels.read().mail is None


def test_refused_events_and_silence_and_lateness_are_read_from_the_database(services: Services) -> None:
    location, _ = services.locations.add("Office")
    services.alerts.set_silence(location.id, SilenceInput(hours=4))
    services.refusals.note(Refused(location.id, True, "POST /", 422, "no", "", "", 0))
    services.refusals.note(Refused(0, False, "POST /", 401, "no", "", "", 0))
    services.refusals.flush()
    services.alerts.look()
    assert subjects(services) == {("events_refused", f"location {location.id}")}
    services.alerts.look(datetime.now(UTC) + timedelta(hours=5))
    assert subjects(services) == {("location_silent", f"location {location.id}")}
    services.refusals.note(Refused(0, True, "POST /", 401, "no", "", "", 0))
    services.refusals.flush()
    webhook = services.webhooks.add("Office", WebhookInput(kind="call", url="http://127.0.0.1:9/"))
    services.events.send("Office", {"type": "incoming_call", "subtype": "ringing"})
    services.alerts.look()
    assert subjects(services) == {("events_refused", "unknown tokens")} | {
        ("events_refused", f"location {location.id}")
    }
    services.alerts.look(datetime.now(UTC) + timedelta(minutes=11))
    assert ("delivery_late", f"webhook {webhook.id}") in subjects(services)


def subjects(services: Services) -> set[tuple[str, str]]:
    return {(row.kind, row.subject) for row in services.alerts.open() if row.kind != "disk_low"}


def test_a_url_alert_is_json_with_what_a_program_needs(services: Services, receiver: Receiver) -> None:
    services.alerts.channels.save_url(UrlInput(url=receiver.url("/alerts")))
    services.alerts.test()
    send_all(services)
    (request,) = receiver.at("/alerts")
    message = json.loads(request.body)
    assert (message["type"], message["kind"], message["state"]) == ("alert", "test", "test")
    assert re.fullmatch(r"http://.*/alerts", message["page"])


def test_an_old_secret_signs_as_well_until_its_day_is_over_or_it_is_ended(
    services: Services, receiver: Receiver
) -> None:
    channels = services.alerts.channels

    def signed_with(*secrets: str) -> list[bool]:
        services.alerts.test()
        send_all(services)
        return [verifies(secret, receiver.at("/rotated")[-1]) for secret in secrets]

    first = str(channels.save_url(UrlInput(url=receiver.url("/rotated"))))
    second = channels.rotate_secret()
    until = channels.read().previous_until
    assert until and HOUR * 23 < until - datetime.now(UTC) <= HOUR * 24
    assert signed_with(first, second) == [True, True]
    with pytest.raises(Conflict, match="there cannot be a third"):
        channels.rotate_secret()
    with services.store.write() as session:
        session.execute(sa.update(AlertSettings).values(previous_until=until - HOUR * 24))
    assert signed_with(first, second) == [False, True]
    with pytest.raises(Conflict, match="not valid any more"):
        channels.end_former_secret()
    third = channels.rotate_secret()
    channels.end_former_secret()
    assert signed_with(second, third) == [False, True]


def verifies(secret: str, request: Received) -> bool:
    try:
        Verifier(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_disabled_webhook_is_told_and_a_deleted_ones_matters_end_in_silence(
    services: Services, smtp: SmtpServer
) -> None:
    by_mail(services, smtp.port)
    now = datetime.now(UTC)
    webhook_id = failing_webhook(services, now - timedelta(days=5))
    with services.store.write() as session:
        session.execute(sa.update(Webhook).values(state="disabled", reason="All attempts have failed."))
    services.alerts.look(now)
    send_all(services)
    assert sorted(mail.subject.removeprefix("Spoke: ") for mail in smtp.mails) == [
        f"Webhook disabled (webhook {webhook_id})",
        f"Webhook fails (webhook {webhook_id})",
    ]
    services.webhooks.delete(webhook_id)
    services.alerts.look(now + timedelta(minutes=1))
    send_all(services)
    assert len(smtp.mails) == 2 and services.alerts.open() == []


def test_a_password_that_another_key_sealed_is_told(services: Services, smtp: SmtpServer) -> None:
    by_mail(services, smtp.port, user="spoke", password="geheim")
    lost = "sealed:gAAAA" + "A" * 80 + "=="
    with services.store.write() as session:
        session.execute(sa.update(AlertSettings).values(password=lost))
    (test_id,) = services.alerts.test()
    send_all(services)
    assert "another secret key" in (services.alerts.notices.of([test_id])[0].error or "")
    assert smtp.connections == 0


def test_an_erasure_empties_the_lists_of_refused_requests(services: Services) -> None:
    location, _ = services.locations.add("Office")
    services.refusals.note(Refused(location.id, True, "POST /", 422, "no", "", "+4930123", 8))
    services.refusals.flush()
    assert len(services.refusals.of(location.id)) == 1
    services.events.send("Office", {"type": "incoming_call", "subtype": "missed", "from": "+4930123"})
    erasure = services.erasures.begin(number="+4930123")
    for _ in range(20):
        services.erasures.step(erasure.id)
    assert services.erasures.get(erasure.id).state == "done"
    assert services.refusals.of(location.id) == []
