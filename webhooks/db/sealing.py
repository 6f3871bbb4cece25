"""Secrets in the database, sealed anew when the secret key has changed."""

import logging
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm.attributes import flag_modified

from webhooks.db.meta import SEALED_WITH
from webhooks.db.models import (
    AlertSettings,
    InboxMessage,
    Location,
    PbxConnection,
    PhoneSite,
    Webhook,
    ZohoAccount,
)
from webhooks.db.store import Store
from webhooks.settings import Settings
from webhooks.vault import readable

_TOLD: Final = 10

log = logging.getLogger(__name__)


def keep_sealed(settings: Settings, store: Store) -> None:
    """Seal anew what a former key has sealed. Warn of secrets that no key here can open."""
    key_id = store.vault.key_id
    with store.read() as session:
        if SEALED_WITH.get(session.connection()) == key_id:
            return
    with store.write(wait=None) as session:
        lost = seal_anew(session)
        if not lost:
            SEALED_WITH.set(session.connection(), key_id)
    where = "SPOKE_SECRET_KEY" if settings.secret_key else str(settings.data / "secret.key")
    if lost.webhooks:
        log.warning(
            "another secret key sealed the secrets of webhooks, whose attempts fail: restore that key or set "
            "SPOKE_OLD_SECRET_KEYS to it; if it is lost, rotate the secrets and enter the webhooks' own "
            "headers and client keys anew",
            extra={"key": where, "webhooks": lost.webhooks[:_TOLD], "webhooks_in_all": len(lost.webhooks)},
        )
    if lost.locations:
        log.warning(
            "another secret key sealed the secrets of phone systems, which are not connected or whose "
            "messages are refused: restore that key or set SPOKE_OLD_SECRET_KEYS to it; if it is lost, enter "
            "the secrets again on the locations' pages",
            extra={
                "key": where,
                "locations": lost.locations[:_TOLD],
                "locations_in_all": len(lost.locations),
            },
        )


@dataclass
class Lost:
    """Whose secrets no key here can open: live webhooks, and locations with their phone systems."""

    webhooks: list[int] = field(default_factory=list)
    locations: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.webhooks or self.locations)


def seal_anew(session: orm.Session) -> Lost:
    """Seal all secrets with the present key. Returns those that cannot be read."""
    lost = Lost()
    for webhook in session.scalars(sa.select(Webhook).order_by(Webhook.id)):
        for column in ("secret", "previous_secret", "options"):
            flag_modified(webhook, column)
        headers = webhook.options.get("headers")
        values = list(headers.values()) if isinstance(headers, dict) else []
        values += [webhook.options["client_key"]] if "client_key" in webhook.options else []
        if webhook.deleted_at is None and not all(map(readable, [webhook.secret, *values])):
            lost.webhooks.append(webhook.id)
    for message in session.scalars(sa.select(InboxMessage)):
        flag_modified(message, "headers")
    for site in session.scalars(sa.select(PhoneSite)):
        flag_modified(site, "signing_secret")
        if site.signing_secret is not None and not readable(site.signing_secret):
            lost.locations.append(site.location_id)
    for connection in session.scalars(sa.select(PbxConnection)):
        flag_modified(connection, "secret")
        if not readable(connection.secret):
            lost.locations.append(connection.location_id)
    for settings in session.scalars(sa.select(AlertSettings)):
        for column in ("password", "secret", "previous_secret"):
            flag_modified(settings, column)
    for account in session.scalars(sa.select(ZohoAccount)):
        for column in ("client_secret", "refresh_token", "access_token"):
            flag_modified(account, column)
        if not readable(account.client_secret):
            lost.locations.append(account.location_id)
    lost.locations = sorted(set(lost.locations) & _live(session))
    return lost


def _live(session: orm.Session) -> set[int]:
    return set(session.scalars(sa.select(Location.id).where(Location.deleted_at.is_(None))))
