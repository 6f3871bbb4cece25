"""SQL for what a lane knows of its webhook: read it, save its health, disable it, end it."""

import contextlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from webhooks.db.raw import RawConnection
from webhooks.dispatcher.circuit_breaker import CircuitBreaker
from webhooks.errors import SecretLost
from webhooks.outbound.address_rules import own_inbox
from webhooks.outbound.options import Options
from webhooks.outbound.webhook_sender import Endpoint
from webhooks.settings import Settings
from webhooks.vault import Vault

_SELECT = """
    SELECT w.id, w.url, w.secret, w.previous_secret, w.previous_until, w.options, w.state, w.deleted_at,
           l.failures, l.broken, l.failing_since, l.not_before, l.probe_at, l.last_error, w.integration
    FROM webhook w JOIN lane l ON l.webhook_id = w.id WHERE w.id IN :ids
"""
# Who has moved a hold since it was read, such as a person who says "try now", has the last word: the
# configuration's version has changed with it, so the lane is loaded anew.
_SAVE_HEALTH = """
    UPDATE lane SET failures = :failures, broken = :broken, failing_since = :failing_since,
           not_before = :not_before, probe_at = :probe_at, last_error = :last_error
    WHERE webhook_id = :webhook_id AND not_before = :known_not_before AND probe_at = :known_probe_at
"""
_DISABLE = """
    UPDATE webhook SET state = 'disabled', reason = :reason
    WHERE id = :webhook_id AND state = 'active' AND deleted_at IS NULL
"""
_END = """
    UPDATE webhook SET deleted_at = :now
    WHERE id = :webhook_id AND integration = 'zapier' AND deleted_at IS NULL
"""


class LaneRow(NamedTuple):
    """A webhook and its lane, as the tables have them. Times in ms since 1970."""

    webhook_id: int
    url: str
    secret: str
    previous_secret: str | None
    previous_until: int | None
    options: str | dict[str, Any]
    state: str
    deleted_at: int | None
    failures: int
    broken: int
    failing_since: int | None
    not_before: int
    probe_at: int
    last_error: str | None = None
    integration: str = "webhooks"

    @property
    def active(self) -> bool:
        return self.state == "active" and self.deleted_at is None

    @property
    def settings(self) -> tuple[object, ...]:
        """What its sender is made of."""
        return (
            self.url, self.secret, self.previous_secret, self.previous_until, self.options, self.integration
        )  # fmt: skip

    @property
    def health(self) -> CircuitBreaker:
        """A new record, as it was saved."""
        return CircuitBreaker(
            failures=self.failures,
            broken=self.broken,
            failing_since_ms=self.failing_since,
            not_before_ms=self.not_before,
            probe_ms=self.probe_at,
            last_error=self.last_error,
        )


def read(direct: RawConnection, webhook_ids: Iterable[int]) -> list[LaneRow]:
    """Rows of these webhooks."""
    return [LaneRow(*row) for row in direct.rows(_SELECT, {"ids": webhook_ids})]


def save_health(
    direct: RawConnection, webhook_id: int, health: CircuitBreaker, known: CircuitBreaker
) -> None:
    """Write a lane's record down, unless its holds are no longer those that were ``known``."""
    direct.run(
        _SAVE_HEALTH,
        {
            "webhook_id": webhook_id,
            "failures": health.failures,
            "broken": health.broken,
            "failing_since": health.failing_since_ms,
            "not_before": health.not_before_ms,
            "probe_at": health.probe_ms,
            "last_error": health.last_error,
            "known_not_before": known.not_before_ms,
            "known_probe_at": known.probe_ms,
        },
    )


def disable(direct: RawConnection, webhook_id: int, reason: str) -> bool:
    """Disable a webhook. Returns False where it is not active any more."""
    return direct.run(_DISABLE, {"webhook_id": webhook_id, "reason": reason}) == 1


def end_subscription(direct: RawConnection, webhook_id: int, now_ms: int) -> bool:
    """Delete a webhook that a Zap has subscribed. Returns False where it is none of those."""
    return direct.run(_END, {"webhook_id": webhook_id, "now": now_ms}) == 1


def endpoint(row: LaneRow, options: Options, settings: Settings, vault: Vault, now_ms: int) -> Endpoint:
    """What an attempt has to know, secrets decrypted. A secret that cannot be read makes it unusable."""
    secrets: list[str] = []
    headers: list[tuple[str, str]] = []
    unusable = identity = None
    try:
        secrets.append(vault.open(row.secret))
        headers += [(name, vault.open(value)) for name, value in options.headers.items()]
        if options.client_key:
            identity = f"{options.client_certificate}\n{vault.open(options.client_key)}"
    except SecretLost as error:
        unusable = str(error)
    if row.previous_secret and row.previous_until and row.previous_until > now_ms:
        # Without it the signature by the present secret still stands.
        with contextlib.suppress(SecretLost):
            secrets.append(vault.open(row.previous_secret))
    inbox_path = own_inbox(settings, row.url)
    return Endpoint(
        row.webhook_id,
        f"{settings.own_url}{inbox_path}" if inbox_path else row.url,
        tuple(secrets),
        options.timeout or settings.timeout,
        tuple(headers),
        options.ca,
        options.verify,
        identity,
        is_test_inbox=inbox_path is not None,
        unusable=unusable,
    )
