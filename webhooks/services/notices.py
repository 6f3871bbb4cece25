"""Messages about matters, on their way: a small outbox of its own, tried again until a day has passed.

It is apart from the deliveries' outbox, so that a mail server that hangs takes no slot of the worker pool,
and so that an alert about deliveries that stand still does not stand still with them.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from webhooks.db.models import AlertSettings, Notice
from webhooks.db.store import Store
from webhooks.outbound.address_rules import AddressRules, own_inbox
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.mail import MailSender
from webhooks.outbound.sender import Message, Outcome, Sender, UnusableSender
from webhooks.outbound.webhook_sender import Endpoint, WebhookSender
from webhooks.services.channels import Channel, Channels, in_use, mail_server
from webhooks.services.lookup import now
from webhooks.services.small_outbox import GIVEN_UP_AFTER, claim_due, delay
from webhooks.settings import Settings
from webhooks.vault import readable

ATTEMPT_S: Final = 20.0
NOT_SET: Final = "Its way is no longer set."
_SHOWN: Final = 20
_LOST: Final = (
    "The password or the secret cannot be read: it was sealed with another secret key. Enter the password "
    "again, or make a new secret."
)

log = logging.getLogger(__name__)


class Notices:
    """The outbox of alerts. Raises ReadFailed and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store, channels: Channels) -> None:
        self._settings, self._store, self._channels = settings, store, channels
        rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._connector = Connector(rules, Proxy.of(settings.proxy))

    def latest(self) -> Sequence[Notice]:
        """Read the newest messages, newest first."""
        with self._store.read() as session:
            return session.scalars(sa.select(Notice).order_by(Notice.id.desc()).limit(_SHOWN)).all()

    def of(self, ids: Sequence[int]) -> Sequence[Notice]:
        """Read these messages."""
        with self._store.read() as session:
            return session.scalars(sa.select(Notice).where(Notice.id.in_(ids)).order_by(Notice.id)).all()

    def send_due(self, channel: Channel) -> int:
        """Send what is due by a channel, one after the other. Returns how many attempts were made."""
        made = 0
        waits = "state = 'pending' AND channel = :channel"
        for notice in claim_due(self._store, Notice, waits, channel=channel):
            self._settle(notice, self._attempt(channel, notice))
            made += 1
        return made

    def _attempt(self, channel: Channel, notice: Notice) -> Outcome | None:
        """Make one attempt. Returns None where the channel is no longer set."""
        row = self._channels.read()
        if channel not in in_use(row):
            return None
        message = Message(notice.id, notice.tries + 1, notice.uid, notice.body)
        sender, deadline = self._sender(channel, row), Deadline(ATTEMPT_S)
        try:
            return sender.send(message, deadline)
        finally:
            sender.close()

    def _sender(self, channel: Channel, row: AlertSettings) -> Sender:
        secret = row.password if channel == "mail" else row.secret
        if secret is not None and not readable(secret):
            return UnusableSender(_LOST)
        if channel == "mail":
            return MailSender(mail_server(row.mail or {}, secret), self._connector)
        inbox_path = own_inbox(self._settings, row.url or "")
        endpoint = Endpoint(
            0,
            f"{self._settings.own_url}{inbox_path}" if inbox_path else row.url or "",
            _signing_secrets(row),
            ATTEMPT_S,
            is_test_inbox=inbox_path is not None,
        )
        return WebhookSender(endpoint, self._connector, 1)

    def _settle(self, notice: Notice, outcome: Outcome | None) -> None:
        moment = now()
        if outcome is None:
            values = _ended("failed", moment, error=NOT_SET)
        elif outcome.delivered:
            status = f"Answered {outcome.http_status}." if outcome.http_status else outcome.response_body
            values = _ended("delivered", moment, answer=status, error=None)
        elif notice.is_test or moment - notice.created_at >= GIVEN_UP_AFTER:
            values = _ended("failed", moment, error=outcome.error)
        else:
            values = {"due_at": moment + delay(notice.tries), "error": outcome.error}
        if outcome is not None and not outcome.delivered:
            log.warning("alert not sent", extra={"channel": notice.channel, "reason": outcome.error})
        with self._store.write(wait=None) as session:
            session.execute(sa.update(Notice).where(Notice.id == notice.id).values(**values))


def queue(session: orm.Session, channel: Channel, title: str, body: str, *, is_test: bool = False) -> Notice:
    """Put a message into the outbox, in the caller's transaction."""
    moment = now()
    notice = Notice(
        uid=str(uuid.uuid4()), channel=channel, title=title, body=body, is_test=is_test, state="pending",
        tries=0, created_at=moment, due_at=moment,
    )  # fmt: skip
    session.add(notice)
    return notice


def _signing_secrets(row: AlertSettings) -> tuple[str, ...]:
    """The secrets to sign with: the present one, and for a day after a rotation the former one."""
    former = row.previous_secret if row.both_until else None
    return (row.secret or "", *([former] if former and readable(former) else []))


def _ended(state: str, moment: datetime, **values: object) -> dict[str, object]:
    return {"state": state, "settled_at": moment, **values}
