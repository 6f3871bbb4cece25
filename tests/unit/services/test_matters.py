"""What is the matter, by facts and a clock that is handed in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from webhooks.db.models import Location, Webhook
from webhooks.services.alert_facts import label
from webhooks.services.matters import Facts, LocationFacts, WebhookFacts, find, recovered

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WEBHOOK = WebhookFacts(3, "Webhook 3 of Office")
LOCATION = LocationFacts(2, "Office")


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def kinds(
    *, webhook: WebhookFacts | None = None, location: LocationFacts | None = None, **more: object
) -> list[str]:
    facts = Facts(NOW, [webhook] if webhook else [], [location] if location else [])
    return [found.kind for found in find(replace(facts, **more))]  # type: ignore[arg-type]


def test_nothing_is_the_matter_where_all_is_well() -> None:
    assert kinds(webhook=WEBHOOK, location=LOCATION, free_bytes=10**12) == []


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (ago(minutes=9, seconds=59), []),
        (ago(minutes=10), ["webhook_failing"]),
        (ago(days=3, hours=23, minutes=59), ["webhook_failing"]),
        (ago(days=4), ["webhook_failing", "webhook_disabling"]),
    ],
)
def test_a_webhook_fails_for_ten_minutes_and_is_warned_of_a_day_before(
    since: datetime, expected: list[str]
) -> None:
    assert kinds(webhook=replace(WEBHOOK, failing_since=since, failures=20)) == expected


def test_the_warning_tells_how_long_it_is_until_then() -> None:
    webhook = replace(WEBHOOK, failing_since=ago(days=4, hours=3, minutes=1))
    text = next(one.text for one in find(Facts(NOW, [webhook])) if one.kind == "webhook_disabling")
    assert "within 21 hours" in text
    webhook = replace(WEBHOOK, failing_since=ago(days=4, hours=23, minutes=1))
    text = next(one.text for one in find(Facts(NOW, [webhook])) if one.kind == "webhook_disabling")
    assert "within 1 hour," in text


def test_a_disabled_webhook_goes_on_failing_so_that_no_recovery_is_told() -> None:
    disabled = replace(WEBHOOK, state="disabled", reason="Gone.", failing_since=ago(days=5))
    assert kinds(webhook=disabled) == ["webhook_failing", "webhook_disabled"]
    gone = replace(WEBHOOK, state="disabled", reason="The receiver answered 410 Gone.", failing_since=NOW)
    (found,) = find(Facts(NOW, [gone]))
    assert found.subject == "webhook 3" and "410 Gone" in found.text


def test_a_paused_webhook_is_a_persons_choice() -> None:
    paused = replace(WEBHOOK, state="paused", failing_since=ago(days=1), oldest_due_at=ago(days=1))
    assert kinds(webhook=paused) == []


@pytest.mark.parametrize(
    ("changed", "late"),
    [
        ({"oldest_due_at": ago(minutes=10)}, False),
        ({"oldest_due_at": ago(minutes=10, seconds=1)}, True),
        ({"oldest_due_at": ago(hours=1), "failing_since": ago(minutes=1)}, False),
        ({"oldest_due_at": ago(hours=1), "held_until": NOW + timedelta(seconds=1)}, False),
        ({"oldest_due_at": ago(hours=1), "held_until": NOW}, True),
    ],
)
def test_a_due_delivery_is_late_only_where_its_receiver_is_not_to_blame(
    changed: dict[str, datetime], late: bool
) -> None:
    assert kinds(webhook=replace(WEBHOOK, **changed)) == (["delivery_late"] if late else [])  # type: ignore[arg-type]


@pytest.mark.parametrize(("days", "told"), [(14.1, False), (14, True), (-1, True)])
def test_a_certificate_that_ends_within_fourteen_days_is_told(days: float, told: bool) -> None:
    webhook = replace(WEBHOOK, certificate_ends_at=NOW + timedelta(days=days))
    found = find(Facts(NOW, [webhook]))
    assert [one.kind for one in found] == (["certificate_ends"] if told else [])
    if told:
        assert ("ended on" if days < 0 else "ends on") in found[0].text


@pytest.mark.parametrize(
    ("changed", "silent"),
    [
        ({"silence_hours": None, "silent_since": ago(days=365)}, False),
        ({"silence_hours": 4, "silent_since": ago(hours=4)}, False),
        ({"silence_hours": 4, "silent_since": ago(hours=4, seconds=1)}, True),
        ({"silence_hours": 4, "silent_since": ago(days=1), "state": "paused"}, False),
    ],
)
def test_a_location_is_silent_longer_than_it_says(changed: dict[str, object], silent: bool) -> None:
    location = replace(LOCATION, **changed)  # type: ignore[arg-type]
    assert kinds(location=location) == (["location_silent"] if silent else [])


def test_refusals_are_the_matter_until_an_hour_passed_without_one() -> None:
    assert kinds(location=replace(LOCATION, last_refused_at=ago(minutes=59))) == ["events_refused"]
    assert kinds(location=replace(LOCATION, last_refused_at=ago(minutes=60))) == []
    assert kinds(unknown_refused_at=ago(minutes=1)) == ["events_refused"]


def test_a_disk_is_nearly_full_below_a_gigabyte() -> None:
    assert kinds(free_bytes=999_999_999) == ["disk_low"]
    assert kinds(free_bytes=1_000_000_000) == []


def test_a_way_by_which_alerts_do_not_arrive_says_why_and_what_to_do() -> None:
    (found,) = find(Facts(NOW, unsent={"mail": "The mail server hangs."}))
    assert (found.kind, found.subject) == ("alerts_unsent", "mail")
    assert found.text.startswith(
        "Alerts do not arrive by e-mail: The mail server hangs. Correct the settings"
    )


@pytest.mark.parametrize(
    ("kind", "webhook", "told"),
    [
        ("webhook_failing", WEBHOOK, True),
        ("webhook_failing", replace(WEBHOOK, state="paused"), False),
        ("webhook_failing", None, False),  # deleted
        ("webhook_failing", replace(WEBHOOK, failing_since=NOW), False),
        ("webhook_disabled", WEBHOOK, False),  # resumed by a person, who knows
        ("delivery_late", WEBHOOK, True),
    ],
)
def test_recovered_is_told_where_it_is_so(kind: str, webhook: WebhookFacts | None, told: bool) -> None:
    facts = Facts(NOW, [webhook] if webhook else [])
    assert (recovered(kind, "webhook 3", facts) is not None) == told


def test_a_location_that_sends_again_is_told_but_not_one_that_no_longer_minds() -> None:
    minds = replace(LOCATION, silence_hours=4)
    assert recovered("location_silent", "location 2", Facts(NOW, [], [minds])) == "Office sends events again."
    assert recovered("location_silent", "location 2", Facts(NOW, [], [LOCATION])) is None


def test_a_connection_to_zoho_is_told_by_its_name_and_what_to_do_is_its_own() -> None:
    zoho = Webhook(id=7, integration="zoho", location=Location(name="Office"), description="")
    assert label(zoho) == "Zoho PhoneBridge of Office"
    facts = WebhookFacts(7, label(zoho), "disabled", "Zoho takes the grant no longer.", remedy="Look there.")
    (found,) = find(Facts(NOW, [facts]))
    assert found.text == (
        "Zoho PhoneBridge of Office is disabled: Zoho takes the grant no longer. Its deliveries are held. "
        "Look there."
    )
    own = Webhook(id=8, integration="webhooks", location=Location(name="Office"), description="CRM")
    assert label(own) == "Webhook 8 (CRM) of Office"
