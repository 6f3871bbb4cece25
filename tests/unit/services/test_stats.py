"""Statistics of several as one."""

from datetime import UTC, datetime, timedelta

from webhooks.services.stats import Hour, Pulse, together

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_locations_are_summed_by_the_hour() -> None:
    one = Pulse(sent=3, failed=1, webhooks=2, last_event=NOON, hours=[Hour(NOON, 3, 1, 100, 400)])
    other = Pulse(
        sent=1,
        failing=1,
        webhooks=1,
        last_event=NOON + timedelta(minutes=1),
        hours=[Hour(NOON, 1, 0, 20, 20)],
    )
    whole = together([one, other])
    assert (whole.sent, whole.failed, whole.failing, whole.webhooks) == (4, 1, 1, 3)
    assert whole.last_event == NOON + timedelta(minutes=1)
    assert whole.hours == [Hour(NOON, 4, 1, 80, 400)]


def test_a_location_without_attempts_adds_none() -> None:
    idle = Pulse(hours=[Hour(NOON)])
    assert together([idle, Pulse(hours=[Hour(NOON, 0, 2)])]).hours == [Hour(NOON, 0, 2)]
    assert together([]) == Pulse()
