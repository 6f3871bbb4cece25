"""Webhooks: which events are sent where, and how."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.meta import config_changed
from webhooks.db.models import Connection, Delivery, Lane, Webhook
from webhooks.db.store import Store, now_ms
from webhooks.errors import AttemptError, Conflict, Invalid, Stale, TargetRefused
from webhooks.outbound.address_rules import AddressRules, check_url, own_inbox
from webhooks.outbound.resolver import Resolver
from webhooks.outbound.signing import new_secret
from webhooks.outbound.webhook_sender import check_sendable
from webhooks.outbox import now as hurry
from webhooks.outbox import unsubscriptions
from webhooks.outbox.hold import apply_webhook_state
from webhooks.outbox.wakeup import Waker
from webhooks.services import standing
from webhooks.services.integrations import WEBHOOKS, ZAPIER, ZOHO, Integration
from webhooks.services.lookup import live_location, newest, note, now, row_or_404, unless_deleted
from webhooks.services.parsing import parse
from webhooks.services.rotation import check_former, grace_end
from webhooks.services.webhook_changes import columns_of, described, filter_of, merged, shown_url
from webhooks.services.webhook_input import WebhookInput
from webhooks.services.webhook_state import WebhookFacts
from webhooks.settings import Settings

_LOOKUP_SECONDS: Final = 2.0


class Webhooks:
    """Webhooks: added, changed, paused, deleted."""

    def __init__(self, settings: Settings, store: Store, waker: Waker) -> None:
        self._settings, self._store, self._waker = settings, store, waker
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._resolver = Resolver()

    def all(
        self, location_id: int | None = None, integration: Integration | None = None
    ) -> Sequence[Webhook]:
        """Read all webhooks, or those of a location or an integration, oldest first.

        Their locations and lanes come with them.
        """
        query = (
            sa.select(Webhook)
            .where(Webhook.deleted_at.is_(None))
            .order_by(Webhook.id)
            .options(orm.joinedload(Webhook.location), orm.joinedload(Webhook.lane))
        )
        if location_id is not None:
            query = query.where(Webhook.location_id == location_id)
        if integration is not None:
            query = query.where(Webhook.integration == integration.name)
        with self._store.read() as session:
            return session.scalars(query).all()

    def page(
        self, before: int | None, count: int, of: Connection | None = None
    ) -> tuple[Sequence[Webhook], int | None]:
        """Read up to ``count`` webhooks below ``before``, newest first; also the ``before`` to go on with.

        ``of``: only those of this connection.
        """
        query = (
            sa.select(Webhook)
            .where(Webhook.deleted_at.is_(None), Webhook.integration != ZOHO.name)
            .options(orm.joinedload(Webhook.location))
        )
        if of is not None:
            query = query.where(Webhook.location_id == of.location_id, Webhook.integration == of.integration)
        with self._store.read() as session:
            return newest(session, query, Webhook.id, before, count)

    def add(self, location: str, wanted: WebhookInput, integration: Integration = WEBHOOKS) -> Webhook:
        """Make a webhook with a secret of its own. One of Webhooks connects its location."""
        self._check_url(wanted.url)
        with self._store.write() as session:
            place = live_location(session, location)
            if integration == WEBHOOKS:
                place.connected_at = place.connected_at or now()
            webhook = Webhook(
                location=place, integration=integration.name, state="active", secret=new_secret(),
                version=1, created_at=now(), lane=Lane(not_before=0, failures=0, broken=0),
                **columns_of(wanted),
            )  # fmt: skip
            session.add(webhook)
            config_changed(session.connection())
            session.flush()
            note(
                session, webhook, f"added at {place.name!r}: {filter_of(webhook)} → {shown_url(webhook.url)}"
            )
            return webhook

    def edit(self, webhook_id: int, changes: Mapping[str, Any], version: int | None = None) -> Webhook:
        """Change fields of ``WebhookInput``; what is left out stays.

        Args:
            changes: ``options`` changes those that it names; None resets an option. A header's value, or a
                client key, that is ``HIDDEN`` stays what it is.
            version: the one that the changes were made from; None takes whichever is there.

        Raises:
            Stale: somebody else has changed it since.
        """
        with self._store.write() as session:
            webhook = _own_webhook(session, webhook_id, lock=not self._store.sqlite, to_change=True)
            if version is not None and webhook.version != version:
                raise Stale(f"Webhook {webhook_id} was changed meanwhile, in another window or by a command.")
            before, headers, url = described(webhook), webhook.options.get("headers"), webhook.url
            wanted = parse(WebhookInput, merged(webhook, changes))
            self._check_url(wanted.url)
            for column, value in columns_of(wanted).items():
                setattr(webhook, column, value)
            webhook.version += 1
            config_changed(session.connection())
            after = described(webhook)
            told = [f"{name}: {before[name]} → {new}" for name, new in after.items() if before[name] != new]
            if before["headers"] == after["headers"] and headers != webhook.options.get("headers"):
                told.append("a header's value")
            if before["URL"] == after["URL"] and url != webhook.url:
                told.append("the URL's query")
            note(session, webhook, f"changed: {'; '.join(told) or 'nothing'}")
            return webhook

    def pause(self, webhook_id: int) -> int:
        """Pause a webhook. Returns how many deliveries are held now."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            if webhook.resume:
                raise Conflict(f"Webhook {webhook_id} is being resumed; try again in a moment.")
            webhook.state, webhook.reason = "paused", None
            webhook.version += 1
            config_changed(session.connection())
            note(session, webhook, "paused: its deliveries are held")
        apply_webhook_state(self._store, webhook_id)
        return self._count(webhook_id, "held")

    def resume(self, webhook_id: int, *, drop_held: bool = False) -> int:
        """Resume a webhook, and send what is held, or drop it. Returns how many deliveries those are."""
        held = self._count(webhook_id, "held")  # before: a dispatcher may be quicker to move them
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id)
            if webhook.state == "active":
                raise Conflict(f"Webhook {webhook_id} is not paused or disabled.")
            webhook.resume = "drop" if drop_held else "send"
            webhook.version += 1
            config_changed(session.connection())
            note(session, webhook, f"resumed: what was held is {'dropped' if drop_held else 'sent'}")
        apply_webhook_state(self._store, webhook_id)
        self._waker.wake_once()
        return held

    def now(self, webhook_id: int) -> tuple[int, hurry.First | None]:
        """Make all that waits due at once, past back-off, circuit breaker and Retry-After.

        While the webhook fails one is tried first. Returns how many wait, counted up to ``MOST + 1``, and
        which of them goes first; None where a dispatcher has it already.
        """
        with self._store.read() as session:
            webhook = _webhook(session, webhook_id)
            if webhook.state != "active":
                raise Conflict(f"Webhook {webhook_id} is {webhook.state}. Resume it to send what is held.")
            waiting = standing.count_waiting(session, webhook_id)
        at_ms = now_ms()
        with self._store.direct() as direct:
            hurry.lift_holds(direct, webhook_id, at_ms)
            record(direct, f"webhook {webhook_id}", "all that waits tried now")
            more = hurry.hurry_batch(direct, webhook_id, at_ms)
            first = hurry.first_to_go(direct, webhook_id, at_ms)
        while more:
            with self._store.direct() as direct:
                more = hurry.hurry_batch(direct, webhook_id, at_ms)
        self._waker.wake_once()
        return waiting, first

    def facts(self, ids: Sequence[int]) -> dict[int, WebhookFacts]:
        """Read how webhooks stand."""
        with self._store.read() as session:
            return standing.of_webhooks(session, ids)

    def delete(self, webhook_id: int, *, unsubscribed: bool = False) -> int:
        """Delete a webhook, and drop its open deliveries. Returns how many those were; its history stays.

        Zapier is told if it is a Zap's, unless the Zap has ``unsubscribed`` it.
        """
        unsent = self._count(webhook_id, "pending", "held")
        with self._store.write() as session:
            webhook = _own_webhook(session, webhook_id)
            webhook.deleted_at = now()
            if not unsubscribed:
                unsubscriptions.ask(session.connection(), webhook_id)
            config_changed(session.connection())
            note(session, webhook, f"deleted: {filter_of(webhook)} → {shown_url(webhook.url)}")
        apply_webhook_state(self._store, webhook_id)
        return unsent

    def rotate_secret(self, webhook_id: int, *, at_once: bool = False) -> Webhook:
        """Make a new secret. For 24 hours the old one signs as well, unless it ends ``at_once``.

        Raises Conflict where two sign already.
        """
        with self._store.write() as session:
            webhook = _own_webhook(session, webhook_id, lock=not self._store.sqlite, to_change=True)
            webhook.previous_until = grace_end(webhook, "secret", at_once=at_once)
            webhook.previous_secret = None if at_once else webhook.secret
            webhook.secret = new_secret()
            config_changed(session.connection())
            old = "no longer signs" if at_once else "signs as well for 24 hours"
            note(session, webhook, f"secret rotated: the old one {old}")
            return webhook

    def end_former_secret(self, webhook_id: int) -> Webhook:
        """Sign no longer with the secret of before the rotation. Raises Conflict where it does not sign."""
        with self._store.write() as session:
            webhook = _webhook(session, webhook_id, lock=not self._store.sqlite)
            check_former(webhook, "secret")
            webhook.previous_until = webhook.previous_secret = None
            config_changed(session.connection())
            note(session, webhook, "old secret ended: it no longer signs")
            return webhook

    def get(self, webhook_id: int, *, deleted: bool = False) -> Webhook:
        """Read a webhook with its location and lane. ``deleted``: also one that was deleted."""
        with self._store.read() as session:
            return _webhook(session, webhook_id, deleted=deleted)

    def own(self, webhook_id: int, *, to_change: bool = False) -> Webhook:
        """Read a webhook as ``get``. Raises Conflict where it is a connection's, which has its own page.

        ``to_change``: Conflict also where it is a Zap's.
        """
        with self._store.read() as session:
            return _own_webhook(session, webhook_id, to_change=to_change)

    def _count(self, webhook_id: int, *states: str) -> int:
        """Count deliveries that nobody has claimed."""
        query = sa.select(sa.func.count()).where(
            Delivery.webhook_id == webhook_id, Delivery.state.in_(states), Delivery.owner.is_(None)
        )
        with self._store.read() as session:
            return session.scalar(query) or 0

    def _check_url(self, url: str) -> None:
        """Raise Invalid where the URL cannot be called, whatever its name leads to."""
        try:
            if not own_inbox(self._settings, url):
                self._rules.check_host(check_url(url))
                check_sendable(url)
        except (Invalid, TargetRefused) as error:
            raise Invalid(str(error), "url") from None

    def dns_warning(self, url: str) -> str | None:
        """Warn of a URL whose name now leads nowhere, or to a refused address; None where all is well."""
        if own_inbox(self._settings, url):
            return None
        try:
            for address in self._resolver.addresses(check_url(url), _LOOKUP_SECONDS):
                self._rules.check(address)
        except AttemptError as error:
            return f"Deliveries would fail now: {error}"
        return None


def _webhook(session: orm.Session, webhook_id: int, *, lock: bool = False, deleted: bool = False) -> Webhook:
    webhook = session.get(
        Webhook,
        webhook_id,
        options=[orm.joinedload(Webhook.location, innerjoin=True), orm.selectinload(Webhook.lane)],
        with_for_update={"of": Webhook} if lock else None,
    )
    return row_or_404(webhook if deleted else unless_deleted(webhook), f"webhook {webhook_id}")


def _own_webhook(
    session: orm.Session, webhook_id: int, *, lock: bool = False, to_change: bool = False
) -> Webhook:
    """Read a webhook that is no connection's, and ``to_change`` no Zap's. Raises Conflict otherwise."""
    webhook = _webhook(session, webhook_id, lock=lock)
    if webhook.integration == ZOHO.name:
        raise Conflict(f"Webhook {webhook_id} is the connection to {ZOHO.title}: change it on its own page.")
    if to_change and webhook.integration == ZAPIER.name:
        raise Conflict(
            f"Webhook {webhook_id} belongs to a Zap, which says what it gets and where. Change the Zap at "
            f"{ZAPIER.title}; here it can be tested, paused, resumed and deleted."
        )
    return webhook
