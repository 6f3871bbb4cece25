"""Where alerts go: a mail server and a URL, kept in the database, the password and the secret sealed."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from sqlalchemy import orm

from webhooks.audit import record
from webhooks.db.models import AlertSettings
from webhooks.db.store import Store
from webhooks.errors import Conflict, Invalid, TargetRefused
from webhooks.outbound.address_rules import AddressRules, check_url, own_inbox
from webhooks.outbound.mail import MailServer
from webhooks.outbound.options import CertificateText
from webhooks.outbound.signing import new_secret
from webhooks.outbound.webhook_sender import check_sendable
from webhooks.services.parsing import Input
from webhooks.services.rotation import check_former, grace_end
from webhooks.settings import Settings

Channel = Literal["mail", "url"]

CHANNELS: Final[tuple[Channel, ...]] = ("mail", "url")
SECURITY: Final[dict[str, str]] = {
    "starttls": "STARTTLS (usually port 587)",
    "tls": "TLS from the start (usually port 465)",
    "none": "None (usually port 25)",
}
_MOST: Final = 10  # recipients
_ADDRESS: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,250}")
_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}")
_SUBJECT: Final = "alerts"  # in the audit log


def _address(text: str) -> str:
    if not (text.isascii() and text.isprintable() and _ADDRESS.fullmatch(text)):
        raise ValueError(f"has to be an address such as pbx@example.com, not {text[:60]!r}")
    return text


def _addresses(given: object) -> object:
    """A form gives a list of one text, which may hold several addresses."""
    if isinstance(given, str):
        return tuple(filter(None, re.split(r"[\s,;]+", given)))
    return _addresses(" ".join(map(str, given))) if isinstance(given, list) else given


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"has to be a name such as mail.example.com or an address, not {text[:60]!r}")
    return text.removeprefix("[").removesuffix("]")


Address = Annotated[str, AfterValidator(_address)]


class MailInput(Input):
    """A mail server, and from whom to whom. ``password`` of None keeps the one that is there."""

    host: Annotated[str, AfterValidator(_host)] = Field(title="Mail server")
    port: int = Field(default=587, ge=1, le=65_535, title="Port")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", title="Encryption")
    user: str = Field(default="", max_length=300, title="User")
    password: str | None = Field(default=None, max_length=1_000, title="Password")
    sender: Address = Field(title="From")
    recipients: Annotated[tuple[Address, ...], BeforeValidator(_addresses)] = Field(
        title="To", min_length=1, max_length=_MOST
    )
    ca: CertificateText | None = Field(default=None, title="Certificate authority")


class UrlInput(Input):
    """A URL that alerts are posted to."""

    url: str = Field(title="URL")


class Channels:
    """Where alerts go. Raises ReadFailed and Unavailable as the Store does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)

    def read(self) -> AlertSettings:
        """Read the settings; without any, an empty row."""
        with self._store.read() as session:
            return self.row(session)

    @staticmethod
    def row(session: orm.Session) -> AlertSettings:
        """Read the settings in the caller's transaction."""
        return session.get(AlertSettings, 1) or AlertSettings(id=1)

    def save_mail(self, given: MailInput) -> None:
        """Set the mail server, and from whom to whom."""
        try:
            self._rules.check_host(given.host)
        except TargetRefused as error:
            raise Invalid(str(error), "host") from None
        with self._store.write() as session:
            row = _row(session)
            if given.user and not (given.password or (row.password and row.mail and row.mail["user"])):
                raise Invalid("“Password” is missing: the mail server asks it of the user.", "password")
            row.mail = given.model_dump(mode="json", exclude={"password"})
            row.password = (given.password or row.password) if given.user else None
            where = f"{given.host}:{given.port}, {given.security}"
            _note(session, f"go by mail to {', '.join(given.recipients)} through {where}")

    def save_url(self, given: UrlInput) -> str | None:
        """Set the URL. Returns the secret where it was made now."""
        try:
            if not own_inbox(self._settings, given.url):
                self._rules.check_host(check_url(given.url))
                check_sendable(given.url)
        except (Invalid, TargetRefused) as error:
            raise Invalid(str(error), "url") from None
        with self._store.write() as session:
            row = _row(session)
            row.url, made = given.url, None if row.secret else new_secret()
            row.secret = row.secret or made
            _note(session, f"go to {given.url.partition('?')[0]}")
            return made

    def rotate_secret(self) -> str:
        """Make a new secret for the URL. For 24 hours the old one signs as well.

        Raises Conflict where two sign already, or where there is no URL.
        """
        with self._store.write() as session:
            row = _row(session)
            if row.url is None:
                raise Conflict("No alert goes to a URL, so there is no secret. Save a URL first.")
            row.previous_until = grace_end(row, "secret", at_once=False)
            row.previous_secret, row.secret = row.secret, (made := new_secret())
            _note(session, "have a new secret for the URL: the old one signs as well for 24 hours")
            return made

    def end_former_secret(self) -> None:
        """Sign no longer with the secret of before the rotation. Raises Conflict where it does not sign."""
        with self._store.write() as session:
            row = _row(session)
            check_former(row, "secret")
            row.previous_until = row.previous_secret = None
            _note(session, "are no longer signed with the old secret")

    def remove(self, channel: Channel) -> None:
        """Send no more alerts by a channel."""
        with self._store.write() as session:
            row = _row(session)
            if channel == "mail":
                row.mail = row.password = None
            else:
                row.url = row.secret = row.previous_secret = row.previous_until = None
            _note(session, "go by mail no more" if channel == "mail" else "go to the URL no more")


def in_use(row: AlertSettings) -> list[Channel]:
    """Return the channels that are set."""
    return [channel for channel in CHANNELS if (row.mail if channel == "mail" else row.url)]


def mail_server(mail: dict[str, Any], password: str | None) -> MailServer:
    """Make what the sender needs of the settings."""
    given = MailInput.model_validate(mail)
    return MailServer(
        given.host, given.port, given.security, given.user, password, given.sender, given.recipients, given.ca
    )


def _row(session: orm.Session) -> AlertSettings:
    row = session.get(AlertSettings, 1, with_for_update=session.get_bind().dialect.name != "sqlite")
    if row is None:
        row = AlertSettings(id=1)
        session.add(row)
    return row


def _note(session: orm.Session, text: str) -> None:
    record(session.connection(), _SUBJECT, text)
