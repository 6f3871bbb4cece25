"""Locations, webhooks and API keys: add, change, pause, delete. Pages, API and commands call here."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, MEDIA_TYPES
from webhooks.db import Store, config_changed
from webhooks.delivery.holding import settle_webhook
from webhooks.delivery.options import Options, parse_options
from webhooks.delivery.signing import new_secret
from webhooks.delivery.targets import AddressRules, check_url
from webhooks.errors import Conflict, Invalid, NotFound
from webhooks.models import ApiKey, Delivery, Lane, Location, Webhook
from webhooks.settings import Settings

ROTATION: Final = timedelta(hours=24)


def token_hash(token: str) -> bytes:
    """What is kept of a token or key. They are 256 random bits: no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _now() -> datetime:
    return datetime.now(UTC)


def _name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("A name has 1 to 100 printable characters.")
    return name


class Registry:
    """All changes of configuration; each is one transaction and holds at once in every process.

    Every method raises NotFound for an unknown name or id, Conflict where the state forbids the change,
    Invalid for a value that cannot be taken, Busy if the database cannot take the write.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)

    # --- locations ---

    def locations(self) -> Sequence[Location]:
        """All locations, by name."""
        with self._store.read() as session:
            query = sa.select(Location).where(Location.deleted_at.is_(None)).order_by(Location.name)
            return session.scalars(query).all()

    def add_location(self, name: str) -> tuple[Location, str]:
        """A new location and its token, which is not kept."""
        name, token = _name(name), secrets.token_urlsafe(32)
        with self._store.write() as session:
            _name_is_free(session, name)
            location = Location(name=name, token_hash=token_hash(token), state="active", created_at=_now())
            session.add(location)
            config_changed(session.connection())
            session.flush()
            return location, token

    def rename_location(self, name: str, new: str) -> Location:
        new = _name(new)
        with self._store.write() as session:
            location = _location(session, name)
            if new != location.name:
                _name_is_free(session, new)
            location.name = new
            return location

    def rotate_location(self, name: str) -> tuple[Location, str]:
        """A new token; the old one is refused from now on."""
        token = secrets.token_urlsafe(32)
        with self._store.write() as session:
            location = _location(session, name)
            location.token_hash = token_hash(token)
            config_changed(session.connection())
            return location, token

    def set_location_state(self, name: str, state: str) -> Location:
        """Pause (its events are refused with 403) or resume."""
        with self._store.write() as session:
            location = _location(session, name)
            location.state = state
            config_changed(session.connection())
            return location

    def delete_location(self, name: str) -> Location:
        """Delete a location and its webhooks; their open deliveries are dropped, the history stays."""
        with self._store.write() as session:
            location = _location(session, name)
            location.deleted_at = now = _now()
            webhooks = [webhook for webhook in location.webhooks if webhook.deleted_at is None]
            for webhook in webhooks:
                webhook.deleted_at = now
            config_changed(session.connection())
        for webhook in webhooks:
            settle_webhook(self._store, webhook.id)
        return location

    # --- webhooks ---

    def webhooks(self) -> Sequence[Webhook]:
        """All webhooks with their locations and lanes, oldest first."""
        with self._store.read() as session:
            query = (
                sa.select(Webhook)
                .where(Webhook.deleted_at.is_(None))
                .order_by(Webhook.id)
                .options(orm.joinedload(Webhook.location), orm.joinedload(Webhook.lane))
            )
            return session.scalars(query).all()

    def add_webhook(
        self,
        location: str,
        kind: str,
        type_: str | None,
        status: str | None,
        url: str,
        description: str = "",
        options: dict[str, Any] | None = None,
    ) -> Webhook:
        """A new webhook with a secret of its own. ``type_`` or ``status`` of None means any."""
        _check_filter(kind, type_, status)
        self._check_url(url)
        chosen = _kept(parse_options(options or {}))
        with self._store.write() as session:
            webhook = Webhook(
                location=_location(session, location), kind=kind, type=type_, status=status, url=url,
                description=description, state="active", secret=new_secret(), options=chosen, version=1,
                created_at=_now(), lane=Lane(not_before=0, failures=0, broken=0),
            )  # fmt: skip
            session.add(webhook)
            config_changed(session.connection())
            session.flush()
            return webhook

    def edit_webhook(self, webhook_id: int, changes: dict[str, Any]) -> Webhook:
        """Change ``type``, ``status``, ``url``, ``description``, ``options`` (None resets an option)."""
        changes = dict(changes)
        options = changes.pop("options", {})
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            merged = {
                name: value for name, value in {**webhook.options, **options}.items() if value is not None
            }
            webhook.options = _kept(parse_options(merged))
            for field, value in changes.items():
                setattr(webhook, field, value)
            _check_filter(webhook.kind, webhook.type, webhook.status)
            self._check_url(webhook.url)
            webhook.version += 1
            config_changed(session.connection())
            return webhook

    def pause_webhook(self, webhook_id: int) -> int:
        """Hold its deliveries from now on; the answer is how many are held."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            if webhook.resume:
                raise Conflict(f"Webhook {webhook_id} is being resumed; try again in a moment.")
            webhook.state, webhook.reason = "paused", None
            config_changed(session.connection())
        settle_webhook(self._store, webhook_id)
        with self._store.read() as session:
            held = sa.select(sa.func.count()).where(
                Delivery.webhook_id == webhook_id, Delivery.state == "held"
            )
            return session.scalar(held) or 0

    def resume_webhook(self, webhook_id: int, *, drop_held: bool = False) -> int:
        """Send what was held, or drop it; the answer is how many that were."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            if webhook.state == "active":
                raise Conflict(f"Webhook {webhook_id} is not paused or disabled.")
            webhook.resume = "drop" if drop_held else "send"
            config_changed(session.connection())
        return settle_webhook(self._store, webhook_id)

    def delete_webhook(self, webhook_id: int) -> int:
        """Delete; open deliveries are dropped, the history stays. The answer is how many were dropped."""
        with self._store.write() as session:
            _webhook(session, webhook_id).deleted_at = _now()
            config_changed(session.connection())
        return settle_webhook(self._store, webhook_id)

    def rotate_webhook(self, webhook_id: int) -> Webhook:
        """A new secret; for 24 hours the former one signs as well."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            webhook.previous_secret, webhook.previous_until = webhook.secret, _now() + ROTATION
            webhook.secret = new_secret()
            config_changed(session.connection())
            return webhook

    def webhook(self, webhook_id: int) -> Webhook:
        with self._store.read() as session:
            return _webhook(session, webhook_id)

    def _check_url(self, url: str) -> None:
        self._rules.judge_host(check_url(url))

    # --- keys ---

    def api_keys(self) -> Sequence[ApiKey]:
        with self._store.read() as session:
            return session.scalars(sa.select(ApiKey).order_by(ApiKey.name)).all()

    def add_key(self, name: str) -> tuple[ApiKey, str]:
        """A new API key, which is not kept."""
        name, key = _name(name), f"spoke_{secrets.token_urlsafe(32)}"
        with self._store.write() as session:
            if session.scalar(sa.select(ApiKey).where(ApiKey.name == name)):
                raise Conflict(f"There is a key {name!r} already; revoke it first or choose another name.")
            row = ApiKey(name=name, key_hash=token_hash(key), created_at=_now())
            session.add(row)
            config_changed(session.connection())
            session.flush()
            return row, key

    def revoke_key(self, name: str) -> None:
        with self._store.write() as session:
            row = session.scalar(sa.select(ApiKey).where(ApiKey.name == name))
            if row is None:
                raise NotFound(f"There is no key {name!r}.")
            session.delete(row)
            config_changed(session.connection())


def _location(session: orm.Session, name: str) -> Location:
    found = session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None)))
    if found is None:
        raise NotFound(f"There is no location {name!r}.")
    return found


def _name_is_free(session: orm.Session, name: str) -> None:
    if session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None))):
        raise Conflict(f"There is a location {name!r} already; choose another name.")


def _webhook(session: orm.Session, webhook_id: int) -> Webhook:
    found = session.get(Webhook, webhook_id, options=[orm.joinedload(Webhook.location)])
    if found is None or found.deleted_at is not None:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return found


def _kept(options: Options) -> dict[str, object]:
    """What of the options is kept: only what differs from the default, so that a default may change."""
    return options.model_dump(exclude_defaults=True)


def _check_filter(kind: str, type_: str | None, status: str | None) -> None:
    if kind not in ("call", "media"):
        raise Invalid("The kind is call or media.")
    words = CALL_TYPES if kind == "call" else MEDIA_TYPES
    if type_ is not None and type_ not in words:
        raise Invalid(f"The type of a {kind} webhook is one of {', '.join(words)}; leave it out for any.")
    if status is not None and kind == "media":
        raise Invalid("A media webhook has no status.")
    if status is not None and status not in CALL_STATUSES:
        raise Invalid(f"The status is one of {', '.join(CALL_STATUSES)}; leave it out for any.")
