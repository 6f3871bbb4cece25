"""What an outcome does to its webhook's record and to its delivery."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatcher.circuit_breaker import (
    CIRCUIT_AFTER,
    DISABLE_AFTER_MS,
    DISABLE_ATTEMPTS,
    JITTER,
    PROBE_FIRST_MS,
    PROBE_LAST_MS,
    CircuitBreaker,
    retry_delay_ms,
)
from webhooks.dispatcher.lane_rows import LaneRow, endpoint
from webhooks.dispatcher.worker_pool import LEASE_MARGIN_S
from webhooks.keyring import Key
from webhooks.outbound.options import Options
from webhooks.outbound.sender import Outcome
from webhooks.outbox.rows import LEASE_MS
from webhooks.settings import Settings
from webhooks.vault import Vault

FINE = Outcome(1, 1, 0, http_status=200)
BROKEN = Outcome(1, 1, 0, error="x", broken=True)
REFUSED = Outcome(1, 1, 0, http_status=500, error="The receiver answered 500.")
HELD = Outcome(1, 1, 0, http_status=429, error="x", retry_after_s=15.0)


def test_a_hold_ends_by_its_time_and_not_by_another_requests_success() -> None:
    health = CircuitBreaker()
    health.note(HELD, 1000)
    health.note(FINE, 2000)
    health.note(dataclasses.replace(HELD, retry_after_s=1.0), 3000)
    assert (health.held_until_ms, health.failures) == (16_000, 1)


def test_the_circuits_wait_ends_with_a_success() -> None:
    health = CircuitBreaker()
    for _ in range(5):
        health.note(BROKEN, 1000)
    assert health.circuit_open and health.held_until_ms == 1000 + PROBE_FIRST_MS
    health.note(FINE, 2000)
    assert not health.circuit_open and health.held_until_ms == 0


def test_answers_that_are_no_success_never_open_the_circuit() -> None:
    health = CircuitBreaker()
    for _ in range(4):
        health.note(BROKEN, 1000)
    for _ in range(100):
        health.note(REFUSED, 1000)
    health.note(BROKEN, 1000)
    assert not health.circuit_open and health.failures == 105, "five breaks, but not in a row"


def test_each_probe_that_fails_doubles_the_wait_up_to_five_minutes() -> None:
    health, now_ms, waits_s = CircuitBreaker(broken=CIRCUIT_AFTER - 1), 0, []
    for _ in range(9):
        health.note(dataclasses.replace(BROKEN, started_ms=now_ms), now_ms)
        waits_s.append((health.probe_ms - now_ms) // 1000)
        now_ms = health.probe_ms
    assert waits_s == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_what_began_before_now_was_said_puts_no_probe_off() -> None:
    """A person says "try now" at 5000; an attempt from before that hangs until 9000."""
    health = CircuitBreaker(broken=CIRCUIT_AFTER, failures=CIRCUIT_AFTER, probe_ms=5000)
    health.note(dataclasses.replace(BROKEN, started_ms=4000), 9000)
    assert health.held_until_ms == 5000 and health.probing
    health.note(dataclasses.replace(BROKEN, started_ms=9001), 9500)
    assert health.held_until_ms > 9500, "this was the probe"


def test_after_now_one_goes_at_a_time_until_one_succeeds() -> None:
    health = CircuitBreaker(failures=1, probe_ms=5000)
    health.note(dataclasses.replace(REFUSED, started_ms=6000), 6000)
    assert health.probing and not health.circuit_open and health.held_until_ms == 5000
    health.note(FINE, 7000)
    assert not health.probing


def test_why_the_last_attempt_failed_is_kept_until_one_succeeds() -> None:
    health = CircuitBreaker()
    health.note(REFUSED, 1000)
    assert health.last_error == "The receiver answered 500."
    health.note(FINE, 2000)
    assert health.last_error is None


def test_a_receiver_that_is_away_for_ever_is_probed_every_five_minutes() -> None:
    health = CircuitBreaker(broken=1_000_000)
    health.note(BROKEN, 0)
    assert health.probe_ms == PROBE_LAST_MS


def test_an_interrupted_attempt_changes_nothing() -> None:
    health = CircuitBreaker(failures=3, broken=2, failing_since_ms=7)
    before = dataclasses.replace(health)
    interrupted = Outcome(1, 1, 0, error="Interrupted", broken=True, interrupted=True)
    assert health.note(interrupted, 1000) is None and health == before


def test_gone_disables_at_once() -> None:
    gone = Outcome(1, 1, 0, http_status=410, error="The receiver answered 410 Gone: it wants no more.")
    assert CircuitBreaker().note(gone, 0) == "The receiver answered 410 Gone."


@pytest.mark.parametrize(
    ("attempts", "days", "disables"),
    [(DISABLE_ATTEMPTS, 5, True), (DISABLE_ATTEMPTS - 1, 5, False), (1000, 4.99, False)],
)
def test_only_failures_for_five_days_and_ten_of_them_disable(
    attempts: int, days: float, disables: bool
) -> None:
    health, reason = CircuitBreaker(), None
    for number in range(attempts):
        end = number == attempts - 1
        reason = health.note(REFUSED, 1 + (round(days / 5 * DISABLE_AFTER_MS) if end else 0))
    assert (reason is not None) == disables
    if reason:
        assert reason.startswith("All attempts have failed for 5 days, 10 of them; the last: The receiver")


def test_a_success_begins_the_five_days_anew() -> None:
    health = CircuitBreaker(failures=99, failing_since_ms=1)
    health.note(FINE, DISABLE_AFTER_MS)
    assert health.note(REFUSED, DISABLE_AFTER_MS + 2) is None and health.failures == 1


@given(schedule_s=st.lists(st.integers(0, 10**6), max_size=20).map(tuple), tries=st.integers(1, 25))
def test_a_retry_comes_by_the_schedule_give_or_take_a_fifth(schedule_s: tuple[int, ...], tries: int) -> None:
    delay_ms = retry_delay_ms(schedule_s, tries)
    if tries > len(schedule_s):
        assert delay_ms is None
    else:
        middle_ms = schedule_s[tries - 1] * 1000
        assert delay_ms is not None and abs(delay_ms - middle_ms) <= JITTER * middle_ms + 1


def test_a_webhooks_own_timeout_holds_longer_or_shorter_and_its_lease_outlasts_it() -> None:
    row = LaneRow(1, "http://receiver.example/", "whsec_x", None, None, {}, "active", None, 0, 0, None, 0, 0)
    settings, vault = Settings(timeout=10), Vault(lambda: [Key("x" * 32)])
    for timeout, holds in ((25, 25), (20.5, 20.5), (1, 1), (None, 10)):
        assert endpoint(row, Options(timeout=timeout), settings, vault, 0).timeout_s == holds
    bounds = Options.model_fields["timeout"].metadata
    longest_s = next(bound.le for bound in bounds if hasattr(bound, "le"))
    assert longest_s + LEASE_MARGIN_S + 1 < LEASE_MS / 1000
