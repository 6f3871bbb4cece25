"""What needs a person: facts in, matters out. Pure; the clock is one of the facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from webhooks.catalogue import counted
from webhooks.dispatcher.circuit_breaker import DISABLE_AFTER_MS

FAILING_AFTER: Final = timedelta(minutes=10)
DISABLED_AFTER: Final = timedelta(milliseconds=DISABLE_AFTER_MS)
WARNED_BEFORE: Final = timedelta(hours=24)
LATE_AFTER: Final = timedelta(minutes=10)
CERTIFICATE_DAYS: Final = 14
LOW_DISK_BYTES: Final = 1_000_000_000  # below a fifth of it recordings are refused
REFUSED_WITHIN: Final = timedelta(hours=1)  # without another refusal the matter is over

KINDS: Final[dict[str, str]] = {
    "webhook_failing": "Webhook fails",
    "webhook_disabling": "Webhook will be disabled",
    "webhook_disabled": "Webhook disabled",
    "delivery_late": "Deliveries are late",
    "certificate_ends": "Certificate ends",
    "location_silent": "Location is silent",
    "events_refused": "Events refused",
    "disk_low": "Disk nearly full",
    "alerts_unsent": "Alerts do not arrive",
}
_UNKNOWN_TOKENS: Final = "unknown tokens"
_WAYS: Final = {"mail": "by e-mail", "url": "at the URL"}


def title_of(kind: str, subject: str) -> str:
    """Name a matter on pages and in alerts. What no known token came with is no location's."""
    return "Unknown token refused" if subject == _UNKNOWN_TOKENS else KINDS.get(kind, kind)


@dataclass(frozen=True, slots=True)
class WebhookFacts:
    """A live webhook. ``label`` tells people which one it is, ``remedy`` what to do once it is disabled.

    ``oldest_due_at`` is that of its pending deliveries, ``held_until`` when the next attempt may begin.
    """

    id: int
    label: str
    state: str = "active"
    reason: str | None = None
    failing_since: datetime | None = None
    failures: int = 0
    oldest_due_at: datetime | None = None
    held_until: datetime | None = None
    certificate_ends_at: datetime | None = None
    remedy: str = "Repair the receiver, then resume the webhook."


@dataclass(frozen=True, slots=True)
class LocationFacts:
    """A live location. ``silent_since``: its last event, or when the hours were set, if that is later."""

    id: int
    name: str
    state: str = "active"
    silence_hours: int | None = None
    silent_since: datetime | None = None
    last_refused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that alerts are made from. ``unknown_refused_at``: the last refusal of a token nobody has.

    ``unsent``: the ways by which alerts do not arrive, "mail" or "url", and why.
    """

    now: datetime
    webhooks: Sequence[WebhookFacts] = ()
    locations: Sequence[LocationFacts] = ()
    free_bytes: int | None = None
    unknown_refused_at: datetime | None = None
    unsent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is the matter: its kind, whose it is ("webhook 3"), and a sentence or two."""

    kind: str
    subject: str
    text: str


def find(facts: Facts) -> list[Found]:
    """Find all that is the matter."""
    found: list[Found] = []
    for webhook in facts.webhooks:
        found += _of_webhook(webhook, facts.now)
    for location in facts.locations:
        found += _of_location(location, facts.now)
    return [*found, *_of_appliance(facts)]


def recovered(kind: str, subject: str, facts: Facts) -> str | None:
    """Say that what was the matter is well again; None where it ended otherwise, as by a person's hand."""
    webhook = next((one for one in facts.webhooks if f"webhook {one.id}" == subject), None)
    location = next((one for one in facts.locations if f"location {one.id}" == subject), None)
    if kind == "disk_low":
        return "There is enough free disk space again."
    if webhook is not None and webhook.state == "active" and webhook.failing_since is None:
        if kind == "webhook_failing":
            return f"{webhook.label} delivers again."
        if kind == "delivery_late":
            return f"The deliveries of {webhook.label} are no longer late."
    if kind == "location_silent" and location is not None and location.silence_hours is not None:
        return f"{location.name} sends events again." if location.state == "active" else None
    return None


def _of_webhook(webhook: WebhookFacts, now: datetime) -> Iterator[Found]:
    subject = f"webhook {webhook.id}"
    if webhook.state == "disabled":
        # What failed before goes on failing: no recovery is told of it.
        if webhook.failing_since is not None and now - webhook.failing_since >= FAILING_AFTER:
            yield Found("webhook_failing", subject, _failing(webhook))
        yield Found(
            "webhook_disabled",
            subject,
            f"{webhook.label} is disabled: {webhook.reason or 'its receiver fails.'} Its deliveries are "
            f"held. {webhook.remedy}",
        )
    if webhook.state != "active":
        return
    failing = None if webhook.failing_since is None else now - webhook.failing_since
    if failing is not None and failing >= FAILING_AFTER:
        yield Found("webhook_failing", subject, _failing(webhook))
        if failing >= DISABLED_AFTER - WARNED_BEFORE:
            yield Found(
                "webhook_disabling",
                subject,
                f"{webhook.label} will be disabled within {_left(DISABLED_AFTER - failing)}, unless an "
                "attempt succeeds. Repair the receiver.",
            )
    held = webhook.held_until is not None and webhook.held_until > now
    due = webhook.oldest_due_at
    if failing is None and not held and due is not None and now - due > LATE_AFTER:
        yield Found(
            "delivery_late",
            subject,
            f"A delivery of {webhook.label} has been due for more than {_minutes(LATE_AFTER)}, though its "
            "receiver does not fail. Look whether the workers run, and at the webhook's rate.",
        )
    ends_at = webhook.certificate_ends_at
    if ends_at is not None and ends_at - now <= timedelta(days=CERTIFICATE_DAYS):
        yield Found("certificate_ends", subject, _ending(webhook.label, ends_at, now))


def _of_location(location: LocationFacts, now: datetime) -> Iterator[Found]:
    subject = f"location {location.id}"
    hours = location.silence_hours
    if location.state == "active" and hours is not None and _is_silent(location.silent_since, hours, now):
        yield Found(
            "location_silent",
            subject,
            f"{location.name} has sent no event for more than {counted(hours, 'hour')}. Look whether its PBX "
            "runs and still posts here.",
        )
    if _lately(location.last_refused_at, now):
        yield Found(
            "events_refused",
            subject,
            f"Events of {location.name} are refused. The location's page lists them with the reasons.",
        )


def _of_appliance(facts: Facts) -> Iterator[Found]:
    for way, error in facts.unsent.items():
        yield Found(
            "alerts_unsent",
            way,
            f"Alerts do not arrive {_WAYS.get(way, way)}: {error} Correct the settings on the page Alerts, "
            "or repair what they lead to, and send a test alert. What waits is tried again for a day.",
        )
    if _lately(facts.unknown_refused_at, facts.now):
        yield Found(
            "events_refused",
            _UNKNOWN_TOKENS,
            "Requests with a token that no location has are refused. If a token was rotated, enter the new "
            "one at the PBX. The page Locations leads to the list.",
        )
    if facts.free_bytes is not None and facts.free_bytes < LOW_DISK_BYTES:
        yield Found(
            "disk_low",
            "appliance",
            f"Less than {LOW_DISK_BYTES // 1_000_000:,} MB of the disk with the data dir are free. "
            "Recordings are refused below 200 MB, and events once it is full. Make room, or lower "
            "SPOKE_RETENTION_DAYS.",
        )


def _is_silent(since: datetime | None, hours: int, now: datetime) -> bool:
    return since is not None and now - since > timedelta(hours=hours)


def _lately(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now - moment < REFUSED_WITHIN


def _failing(webhook: WebhookFacts) -> str:
    return (
        f"{webhook.label} has failed for more than {_minutes(FAILING_AFTER)}: no attempt succeeded. Its "
        "page has the reason and what waits."
    )


def _ending(label: str, ends_at: datetime, now: datetime) -> str:
    day = f"{ends_at:%Y-%m-%d}"
    if ends_at <= now:
        return f"The certificate of the receiver of {label} ended on {day}. Its operator has to renew it."
    return (
        f"The certificate of the receiver of {label} ends on {day}, within {CERTIFICATE_DAYS} days. Its "
        "operator has to renew it."
    )


def _left(left: timedelta) -> str:
    hours = max(1, -(-int(left.total_seconds()) // 3600))
    return counted(hours, "hour")


def _minutes(span: timedelta) -> str:
    return counted(int(span.total_seconds()) // 60, "minute")
