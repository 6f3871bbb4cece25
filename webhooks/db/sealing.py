"""Secrets in the database, sealed anew when the secret key has changed."""

import logging
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm.attributes import flag_modified

from webhooks.db.meta import SEALED_WITH
from webhooks.db.models import AlertSettings, InboxMessage, PbxConnection, PhoneSite, Webhook
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
    if lost:
        where = "SPOKE_SECRET_KEY" if settings.secret_key else str(settings.data / "secret.key")
        log.warning(
            "another secret key sealed the secrets of webhooks, whose attempts fail: restore that key or set "
            "SPOKE_OLD_SECRET_KEYS to it; if it is lost, rotate the secrets and write the webhooks' own "
            "headers anew",
            extra={"key": where, "webhooks": lost[:_TOLD], "webhooks_in_all": len(lost)},
        )


def seal_anew(session: orm.Session) -> list[int]:
    """Seal all secrets with the present key. Returns the live webhooks whose secrets cannot be read."""
    lost = []
    for webhook in session.scalars(sa.select(Webhook).order_by(Webhook.id)):
        for column in ("secret", "previous_secret", "options"):
            flag_modified(webhook, column)
        headers = webhook.options.get("headers")
        values = list(headers.values()) if isinstance(headers, dict) else []
        if webhook.deleted_at is None and not all(map(readable, [webhook.secret, *values])):
            lost.append(webhook.id)
    for message in session.scalars(sa.select(InboxMessage)):
        flag_modified(message, "headers")
    for site in session.scalars(sa.select(PhoneSite)):
        flag_modified(site, "signing_secret")
    for connection in session.scalars(sa.select(PbxConnection)):
        flag_modified(connection, "secret")
    for settings in session.scalars(sa.select(AlertSettings)):
        for column in ("password", "secret"):
            flag_modified(settings, column)
    return lost
