"""What an outcome does to its webhook's record and to its delivery."""

import dataclasses

from webhooks.dispatcher.circuit_breaker import PROBE_FIRST_MS, CircuitBreaker
from webhooks.dispatcher.lane_rows import LaneRow, endpoint
from webhooks.dispatcher.worker_pool import LEASE_MARGIN_S
from webhooks.keyring import Key
from webhooks.outbound.attempt import Outcome
from webhooks.outbound.options import Options
from webhooks.outbox.rows import LEASE_MS
from webhooks.settings import Settings
from webhooks.vault import Vault

FINE = Outcome(1, 1, 0, http_status=200)
BROKEN = Outcome(1, 1, 0, error="x", broken=True)
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


def test_a_webhooks_own_timeout_holds_longer_or_shorter_and_its_lease_outlasts_it() -> None:
    row = LaneRow(1, "http://receiver.example/", "whsec_x", None, None, {}, "active", None, 0, 0, None, 0, 0)
    settings, vault = Settings(timeout=10), Vault(lambda: [Key("x" * 32)])
    for own, holds in ((25, 25), (20.5, 20.5), (1, 1), (None, 10)):
        assert endpoint(row, Options(timeout=own), settings, vault, 0).timeout_s == holds
    longest = next(one.le for one in Options.model_fields["timeout"].metadata if hasattr(one, "le"))
    assert longest + LEASE_MARGIN_S + 1 < LEASE_MS / 1000
