"""The admin's password: kept as a hash, checked, changed."""

import os
import secrets
from typing import Final

from sqlalchemy import orm
from werkzeug.security import generate_password_hash

from webhooks.db.models import Meta
from webhooks.db.store import Store
from webhooks.settings import Settings

_PASSWORD: Final = "admin_password_hash"


def set_password(session: orm.Session, password: str) -> None:
    """Keep a new admin password's hash and end all sessions."""
    session.merge(Meta(key=_PASSWORD, value=generate_password_hash(password)))
    epoch = session.get(Meta, "session_epoch")
    session.merge(Meta(key="session_epoch", value=str(int(epoch.value) + 1 if epoch else 1)))


def first_password(settings: Settings, store: Store) -> str | None:
    # A command that comes first leaves it to the first start, where somebody reads what is printed.
    if settings.admin_password or os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        return None
    with store.write() as session:
        if session.get(Meta, _PASSWORD):
            return None
        password = secrets.token_urlsafe(12)
        set_password(session, password)
        return password
