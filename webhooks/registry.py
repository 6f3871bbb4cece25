"""Locations, webhooks and API keys: add, change, pause, delete. Pages, API and commands call here."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, MEDIA_TYPES, filter_label
from webhooks.changes import record
from webhooks.db import Store, config_changed
from webhooks.delivery.holding import settle_webhook
from webhooks.delivery.options import Options, parse_options
from webhooks.delivery.signing import new_secret
from webhooks.delivery.targets import AddressRules, Resolver, check_url, own_inbox
from webhooks.errors import AttemptError, Conflict, Invalid, NotFound, Stale, TargetRefused
from webhooks.models import ApiKey, Delivery, Lane, Location, Webhook
from webhooks.settings import Settings

ROTATION: Final = timedelta(hours=24)
_LOOKUP_SECONDS: Final = 2.0


def token_hash(token: str) -> bytes:
    """What is kept of a token or key. They are 256 random bits: no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _now() -> datetime:
    return datetime.now(UTC)


def _name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("A name has 1 to 100 printable characters.", "name")
    return name


class Registry:
    """All changes of configuration; each is one transaction and holds at once in every process.

    Every method raises NotFound for an unknown name or id, Conflict where the state forbids the change,
    Invalid for a value that cannot be taken, Busy if the database cannot take the write.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._resolver = Resolver()

    # --- locations ---

    def locations(self) -> Sequence[Location]:
        """All locations, by name."""
        with self._store.read() as session:
            query = sa.select(Location).where(Location.deleted_at.is_(None)).order_by(Location.name)
            return session.scalars(query).all()

    def location(self, location_id: int) -> Location:
        with self._store.read() as session:
            found = session.get(Location, location_id)
            if found is None or found.deleted_at is not None:
                raise NotFound(f"There is no location {location_id}.")
            return found

    def connect_location(self, name: str) -> Location:
        """Make the location one of the active integrations: the seed's "Authorize"."""
        with self._store.write() as session:
            location = _location(session, name)
            if location.connected_at is None:
                location.connected_at = _now()
                _note(session, location, "connected to Webhooks")
            return location

    def disconnect_location(self, name: str) -> int:
        """Take it from the active integrations: its webhooks are deleted, their open deliveries dropped.

        The answer is how many webhooks those were. Its events are still taken, for nobody.
        """
        with self._store.write() as session:
            location = _location(session, name)
            webhooks = _delete_webhooks(location)
            location.connected_at = None
            config_changed(session.connection())
            _note(session, location, f"disconnected from Webhooks; {len(webhooks)} webhooks deleted")
        for webhook in webhooks:
            settle_webhook(self._store, webhook.id)
        return len(webhooks)

    def add_location(self, name: str) -> tuple[Location, str]:
        """A new location and its token, which is not kept."""
        name, token = _name(name), secrets.token_urlsafe(32)
        with self._store.write() as session:
            _name_is_free(session, name)
            location = Location(name=name, token_hash=token_hash(token), state="active", created_at=_now())
            session.add(location)
            config_changed(session.connection())
            session.flush()
            _note(session, location, "added")
            return location, token

    def rename_location(self, name: str, new: str) -> Location:
        new = _name(new)
        with self._store.write() as session:
            location = _location(session, name)
            if new != location.name:
                _name_is_free(session, new)
                _note(session, location, f"renamed to {new!r}")
            location.name = new
            return location

    def rotate_location(self, name: str) -> tuple[Location, str]:
        """A new token; the old one is refused from now on."""
        token = secrets.token_urlsafe(32)
        with self._store.write() as session:
            location = _location(session, name)
            location.token_hash = token_hash(token)
            config_changed(session.connection())
            _note(session, location, "token rotated: the old one is refused")
            return location, token

    def set_location_state(self, name: str, state: str) -> Location:
        """Pause (its events are refused with 403) or resume."""
        with self._store.write() as session:
            location = _location(session, name)
            location.state = state
            config_changed(session.connection())
            _note(session, location, "paused" if state == "paused" else "resumed")
            return location

    def delete_location(self, name: str) -> Location:
        """Delete a location and its webhooks; their open deliveries are dropped, the history stays."""
        with self._store.write() as session:
            location = _location(session, name)
            location.deleted_at = _now()
            webhooks = _delete_webhooks(location)
            config_changed(session.connection())
            _note(session, location, f"deleted, and {len(webhooks)} webhooks with it")
        for webhook in webhooks:
            settle_webhook(self._store, webhook.id)
        return location

    # --- webhooks ---

    def webhooks(self, location_id: int | None = None) -> Sequence[Webhook]:
        """All webhooks, or a location's, with their locations and lanes, oldest first."""
        query = (
            sa.select(Webhook)
            .where(Webhook.deleted_at.is_(None))
            .order_by(Webhook.id)
            .options(orm.joinedload(Webhook.location), orm.joinedload(Webhook.lane))
        )
        if location_id is not None:
            query = query.where(Webhook.location_id == location_id)
        with self._store.read() as session:
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
        _check_description(description)
        with self._store.write() as session:
            place = _location(session, location)
            place.connected_at = place.connected_at or _now()
            webhook = Webhook(
                location=place, kind=kind, type=type_, status=status, url=url,
                description=description, state="active", secret=new_secret(), options=chosen, version=1,
                created_at=_now(), lane=Lane(not_before=0, failures=0, broken=0),
            )  # fmt: skip
            session.add(webhook)
            config_changed(session.connection())
            session.flush()
            _note(session, webhook, f"added at {place.name!r}: {_filter(webhook)} → {url}")
            return webhook

    def edit_webhook(self, webhook_id: int, changes: dict[str, Any], version: int | None = None) -> Webhook:
        """Change ``type``, ``status``, ``url``, ``description``, ``options`` (None resets an option).

        ``version`` is the one that the changes were made from; None takes whichever is there.

        Raises:
            Stale: somebody else has changed it since.
        """
        changes = dict(changes)
        options = changes.pop("options", {})
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id, lock=not self._store.sqlite)
            if version is not None and webhook.version != version:
                raise Stale(f"Webhook {webhook_id} was changed meanwhile, in another window or by a command.")
            before, headers = _described(webhook), webhook.options.get("headers")
            merged = {
                name: value for name, value in {**webhook.options, **options}.items() if value is not None
            }
            webhook.options = _kept(parse_options(merged))
            for field, value in changes.items():
                setattr(webhook, field, value)
            _check_filter(webhook.kind, webhook.type, webhook.status)
            self._check_url(webhook.url)
            _check_description(webhook.description)
            webhook.version += 1
            config_changed(session.connection())
            after = _described(webhook)
            told = [f"{name}: {before[name]} → {new}" for name, new in after.items() if before[name] != new]
            if before["headers"] == after["headers"] and headers != webhook.options.get("headers"):
                told.append("a header's value")
            _note(session, webhook, f"changed: {'; '.join(told) or 'nothing'}")
            return webhook

    def pause_webhook(self, webhook_id: int) -> int:
        """Hold its deliveries from now on; the answer is how many are held."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            if webhook.resume:
                raise Conflict(f"Webhook {webhook_id} is being resumed; try again in a moment.")
            webhook.state, webhook.reason = "paused", None
            webhook.version += 1
            config_changed(session.connection())
            _note(session, webhook, "paused: its deliveries are held")
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
            webhook.version += 1
            config_changed(session.connection())
            _note(session, webhook, f"resumed: what was held is {'dropped' if drop_held else 'sent'}")
        return settle_webhook(self._store, webhook_id)

    def delete_webhook(self, webhook_id: int) -> int:
        """Delete; open deliveries are dropped, the history stays. The answer is how many were dropped."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            webhook.deleted_at = _now()
            config_changed(session.connection())
            _note(session, webhook, f"deleted: {_filter(webhook)} → {webhook.url}")
        return settle_webhook(self._store, webhook_id)

    def rotate_webhook(self, webhook_id: int) -> Webhook:
        """A new secret; for 24 hours the former one signs as well."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            webhook.previous_secret, webhook.previous_until = webhook.secret, _now() + ROTATION
            webhook.secret = new_secret()
            config_changed(session.connection())
            _note(session, webhook, "secret rotated: the former one signs as well for 24 hours")
            return webhook

    def webhook(self, webhook_id: int) -> Webhook:
        with self._store.read() as session:
            return _webhook(session, webhook_id)

    def _check_url(self, url: str) -> None:
        """Raise Invalid where the URL cannot be called, whatever its name leads to."""
        try:
            if not own_inbox(self._settings, url):
                self._rules.judge_host(check_url(url))
        except (Invalid, TargetRefused) as error:
            raise Invalid(str(error), "url") from None

    def doubt(self, url: str) -> str | None:
        """A warning about a URL that was taken: its name leads nowhere now, or to a refused address."""
        if own_inbox(self._settings, url):
            return None
        try:
            for address in self._resolver.addresses(check_url(url), _LOOKUP_SECONDS):
                self._rules.judge(address)
        except AttemptError as error:
            return f"As things are now, deliveries would fail: {error}"
        return None

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
            record(session.connection(), f"API key {name}", "added")
            session.flush()
            return row, key

    def revoke_key(self, name: str) -> None:
        with self._store.write() as session:
            row = session.scalar(sa.select(ApiKey).where(ApiKey.name == name))
            if row is None:
                raise NotFound(f"There is no key {name!r}.")
            session.delete(row)
            config_changed(session.connection())
            record(session.connection(), f"API key {name}", "revoked")


def _location(session: orm.Session, name: str) -> Location:
    found = session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None)))
    if found is None:
        raise NotFound(f"There is no location {name!r}.")
    return found


def _name_is_free(session: orm.Session, name: str) -> None:
    if session.scalar(sa.select(Location).where(Location.name == name, Location.deleted_at.is_(None))):
        raise Conflict(f"There is a location {name!r} already; choose another name.")


def _webhook(session: orm.Session, webhook_id: int, *, lock: bool = False) -> Webhook:
    found = session.get(
        Webhook,
        webhook_id,
        options=[orm.joinedload(Webhook.location, innerjoin=True), orm.selectinload(Webhook.lane)],
        with_for_update={"of": Webhook} if lock else None,
    )
    if found is None or found.deleted_at is not None:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return found


def _delete_webhooks(location: Location) -> list[Webhook]:
    webhooks = [webhook for webhook in location.webhooks if webhook.deleted_at is None]
    for webhook in webhooks:
        webhook.deleted_at = _now()
    return webhooks


def _note(session: orm.Session, changed: Location | Webhook, text: str) -> None:
    subject = f"location {changed.name}" if isinstance(changed, Location) else f"webhook {changed.id}"
    record(session.connection(), subject, text)


def _filter(webhook: Webhook) -> str:
    return filter_label(webhook.kind, webhook.type, webhook.status)


def _described(webhook: Webhook) -> dict[str, str]:
    """What may be told of it in the history: of headers the names, of a certificate that there is one."""
    options = Options.model_validate(webhook.options).shown()
    options["headers"] = ", ".join(options["headers"]) or "none"
    options["ca"] = "own" if options["ca"] else "the usual ones"
    own = {"events": _filter(webhook), "URL": webhook.url, "description": webhook.description or "none"}
    return own | {
        name.replace("_", " "): "default" if value is None else str(value) for name, value in options.items()
    }


def _kept(options: Options) -> dict[str, object]:
    """What of the options is kept: only what differs from the default, so that a default may change."""
    return options.model_dump(exclude_defaults=True)


def _check_description(text: str) -> None:
    if len(text) > 500:
        raise Invalid("A description has at most 500 characters.", "description")


def _check_filter(kind: str, type_: str | None, status: str | None) -> None:
    if kind not in ("call", "media"):
        raise Invalid("The kind is call or media.")
    words = CALL_TYPES if kind == "call" else MEDIA_TYPES
    if type_ is not None and type_ not in words:
        raise Invalid(
            f"The type of a {kind} webhook is one of {', '.join(words)}; leave it out for any.", "type"
        )
    if status is not None and kind == "media":
        raise Invalid("A media webhook has no status.", "status")
    if status is not None and status not in CALL_STATUSES:
        raise Invalid(f"The status is one of {', '.join(CALL_STATUSES)}; leave it out for any.", "status")
