"""Test inboxes: addresses of the appliance that keep what is posted to them, and answer as they are set."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from pydantic import Field, field_validator
from sqlalchemy import orm
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from webhooks.audit import record
from webhooks.db.models import Inbox, InboxMessage, Webhook
from webhooks.db.store import Store
from webhooks.errors import Invalid
from webhooks.outbound.address_rules import own_inbox
from webhooks.services.lookup import row_or_404
from webhooks.services.parsing import Input
from webhooks.settings import Settings
from webhooks.vault import readable

KEPT: Final = 100  # messages an inbox; the oldest go
KEPT_BYTES: Final = 64 << 10  # of a body
MOST: Final = 100  # inboxes
MAX_DELAY_S: Final = 10
STATUSES: Final = {
    200: "200 OK", 204: "204 No Content", 301: "301 Moved Permanently", 400: "400 Bad Request",
    404: "404 Not Found", 410: "410 Gone", 429: "429 Too Many Requests", 500: "500 Internal Server Error",
    503: "503 Service Unavailable",
}  # fmt: skip
_SIGNED: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


class InboxSummary(NamedTuple):
    """An inbox, how many messages it has, and when the last of them came."""

    inbox: Inbox
    messages: int
    last_at: datetime | None


class InboxAnswer(Input):
    """What a test inbox answers with: an HTTP status, after ``delay`` seconds."""

    status: int = Field(title="Answer")
    delay: float = Field(default=0, ge=0, le=MAX_DELAY_S, title="Delay in seconds")

    @field_validator("status")
    @classmethod
    def _is_offered(cls, status: int) -> int:
        if status not in STATUSES:
            raise ValueError(f"has to be one of {', '.join(map(str, STATUSES))}, not {status}")
        return status


class Inboxes:
    """Test inboxes and their messages.

    Raises NotFound for an unknown inbox, Invalid for an impossible answer, Unavailable as the Store does.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    def address(self, inbox: Inbox) -> str:
        """Return the URL that a webhook has to have."""
        return f"{self._settings.base_url}/inbox/{inbox.id}"

    def all(self) -> Sequence[InboxSummary]:
        """Read all inboxes, newest first."""
        query = (
            sa.select(Inbox, sa.func.count(InboxMessage.id), sa.func.max(InboxMessage.at))
            .outerjoin(InboxMessage, InboxMessage.inbox_id == Inbox.id)
            .group_by(Inbox.id)
            .order_by(Inbox.created_at.desc(), Inbox.id)
        )
        with self._store.read() as session:
            return [InboxSummary(*row) for row in session.execute(query)]

    def get(self, inbox_id: str) -> Inbox:
        with self._store.read() as session:
            return _inbox(session, inbox_id)

    def of_url(self, url: str) -> Inbox | None:
        """Read the inbox that a webhook's URL names, None if it names none."""
        path = own_inbox(self._settings, url)
        with self._store.read() as session:
            return session.get(Inbox, path.rpartition("/")[2]) if path else None

    def add(self) -> Inbox:
        """Make an inbox, which answers 200 at once."""
        with self._store.write() as session:
            count = session.scalar(sa.select(sa.func.count()).select_from(Inbox)) or 0
            if count >= MOST:
                raise Invalid(f"There are {MOST} test inboxes already; delete one first.")
            now = datetime.now(UTC)
            inbox = Inbox(
                id=secrets.token_urlsafe(15), name=f"Test inbox {count + 1}", http_status=200, delay_ms=0,
                created_at=now,
            )  # fmt: skip
            session.add(inbox)
            record(session.connection(), f"test inbox {inbox.id[:6]}…", "added")
            return inbox

    def set_answer(self, inbox_id: str, answer: InboxAnswer) -> Inbox:
        """Set what the next requests are answered with, and after how long."""
        with self._store.write() as session:
            inbox = _inbox(session, inbox_id)
            inbox.http_status, inbox.delay_ms = answer.status, round(answer.delay * 1000)
            return inbox

    def clear(self, inbox_id: str) -> None:
        with self._store.write() as session:
            session.execute(sa.delete(InboxMessage).where(InboxMessage.inbox_id == inbox_id))

    def delete(self, inbox_id: str) -> None:
        with self._store.write() as session:
            inbox = _inbox(session, inbox_id)
            session.execute(sa.delete(InboxMessage).where(InboxMessage.inbox_id == inbox_id))
            session.delete(inbox)
            record(session.connection(), f"test inbox {inbox_id[:6]}…", "deleted")

    def messages(self, inbox_id: str, count: int = 20) -> Sequence[InboxMessage]:
        """Read the newest messages, newest first."""
        with self._store.read() as session:
            _inbox(session, inbox_id)
            query = sa.select(InboxMessage).where(InboxMessage.inbox_id == inbox_id)
            return session.scalars(query.order_by(InboxMessage.id.desc()).limit(count)).all()

    def message(self, inbox_id: str, message_id: int) -> InboxMessage:
        with self._store.read() as session:
            message = session.get(InboxMessage, message_id)
            own = message if message is not None and message.inbox_id == inbox_id else None
            return row_or_404(own, "such message any more")

    def webhooks(self, inbox: Inbox) -> Sequence[Webhook]:
        """Read the webhooks that point at an inbox."""
        with self._store.read() as session:
            return self._pointing(session, inbox.id)

    def receive(self, inbox_id: str, headers: Sequence[tuple[str, str]], body: bytes, sender: str) -> Inbox:
        """Keep a request. Returns the inbox, which says what to answer."""
        text = body[:KEPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
        with self._store.write() as session:
            inbox = _inbox(session, inbox_id)
            webhook_id, verdict = _verdict(self._pointing(session, inbox_id), headers, body)
            session.add(
                InboxMessage(
                    inbox_id=inbox_id, at=datetime.now(UTC), sender=sender[:60], size=len(body), body=text,
                    headers=json.dumps(list(headers), ensure_ascii=False), answered=inbox.http_status,
                    webhook_id=webhook_id, verdict=verdict,
                )
            )  # fmt: skip
            session.flush()
            kept = sa.select(InboxMessage.id).where(InboxMessage.inbox_id == inbox_id)
            last = session.scalar(kept.order_by(InboxMessage.id.desc()).offset(KEPT).limit(1))
            if last is not None:
                old = sa.delete(InboxMessage).where(
                    InboxMessage.inbox_id == inbox_id, InboxMessage.id <= last
                )
                session.execute(old)
            return inbox

    def _pointing(self, session: orm.Session, inbox_id: str) -> Sequence[Webhook]:
        urls = [f"{base}/inbox/{inbox_id}" for base in (self._settings.base_url, self._settings.own_url)]
        query = sa.select(Webhook).where(Webhook.url.in_(urls), Webhook.deleted_at.is_(None))
        return session.scalars(query.order_by(Webhook.id).options(orm.joinedload(Webhook.location))).all()


def _inbox(session: orm.Session, inbox_id: str) -> Inbox:
    # The id is left out: whoever knows it may post.
    return row_or_404(session.get(Inbox, inbox_id), "such test inbox; it may have been deleted")


def _verdict(
    webhooks: Sequence[Webhook], headers: Sequence[tuple[str, str]], body: bytes
) -> tuple[int | None, str]:
    """Verify a signature as receivers do, with the published library. Returns whose it is, and a sentence."""
    given = {name.lower(): value for name, value in headers}
    missing = [name for name in _SIGNED if name not in given]
    if missing:
        return None, f"Not signed: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
    if not webhooks:
        return None, "Signed, but no webhook sends to this inbox: there is no secret to verify it with."
    reason = ""
    for webhook in webhooks:
        for secret in filter(readable, (webhook.secret, webhook.previous_secret)):
            try:
                Verifier(secret).verify(body, given, json_parse=False)
            except WebhookVerificationError as error:
                reason = str(error)
                continue
            except ValueError:  # the library's words for a signature or a body that it cannot even read
                reason = "it has to be v1,BASE64, and the body UTF-8"
                continue
            return webhook.id, f"The signature is valid: verified with the secret of webhook {webhook.id}."
    return None, f"The signature is not valid ({reason})."
