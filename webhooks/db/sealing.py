"""Secrets in the database, sealed anew when the secret key has changed."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm.attributes import flag_modified

from webhooks.db.meta import SEALED_WITH
from webhooks.db.models import Location, PbxConnection, PhoneSite, Webhook, ZohoAccount
from webhooks.db.store import Base, Store
from webhooks.settings import Settings
from webhooks.vault import Sealed, SealedOptions, readable

_TOLD: Final = 10
_SEALED: Final = (Sealed, SealedOptions)

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
            "another secret key sealed the secrets of phone systems or of Zoho PhoneBridge, which are not "
            "connected or whose messages are refused: restore that key or set SPOKE_OLD_SECRET_KEYS to it; "
            "if it is lost, enter the secrets again on the locations' pages",
            extra={
                "key": where,
                "locations": lost.locations[:_TOLD],
                "locations_in_all": len(lost.locations),
            },
        )


@dataclass
class Lost:
    """Whose secrets no key here can open: live webhooks, and locations with what they connect to."""

    webhooks: list[int] = field(default_factory=list)
    locations: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.webhooks or self.locations)


def seal_anew(session: orm.Session) -> Lost:
    """Seal all secrets with the present key. Returns those that cannot be read."""
    for mapper in Base.registry.mappers:
        columns = [one.key for one in mapper.column_attrs if isinstance(one.columns[0].type, _SEALED)]
        for row in session.scalars(sa.select(mapper.class_)) if columns else ():
            for column in columns:
                flag_modified(row, column)
    return Lost(list(_lost_webhooks(session)), sorted(_lost_locations(session) & _live(session)))


def _lost_webhooks(session: orm.Session) -> Iterator[int]:
    for webhook in session.scalars(
        sa.select(Webhook).where(Webhook.deleted_at.is_(None)).order_by(Webhook.id)
    ):
        headers = webhook.options.get("headers")
        values = list(headers.values()) if isinstance(headers, dict) else []
        values += [webhook.options["client_key"]] if "client_key" in webhook.options else []
        if not all(map(readable, [webhook.secret, *values])):
            yield webhook.id


def _lost_locations(session: orm.Session) -> set[int]:
    secrets: list[tuple[int, str | None]] = [
        *((site.location_id, site.signing_secret) for site in session.scalars(sa.select(PhoneSite))),
        *((pbx.location_id, pbx.secret) for pbx in session.scalars(sa.select(PbxConnection))),
        *((zoho.location_id, zoho.client_secret) for zoho in session.scalars(sa.select(ZohoAccount))),
    ]
    return {location_id for location_id, secret in secrets if secret is not None and not readable(secret)}


def _live(session: orm.Session) -> set[int]:
    return set(session.scalars(sa.select(Location.id).where(Location.deleted_at.is_(None))))
