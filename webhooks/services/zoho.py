"""Zoho PhoneBridge: the client of a location, the grant of a person, the users and their extensions.

Connecting has three steps. ``prepare`` keeps the client; a person logs in at Zoho, which leads back with a
code; ``complete`` makes a grant of that, and ``switch_on`` has Zoho take notices.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final

import sqlalchemy as sa
from pydantic import Field, StringConstraints
from sqlalchemy import orm

from webhooks.catalogue import counted
from webhooks.db.meta import config_changed
from webhooks.db.models import Lane, Location, Webhook, ZohoAccount
from webhooks.db.store import Store, now_ms
from webhooks.errors import Invalid, SpokeError, ZohoFailed, ZohoRefused
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.signing import new_secret
from webhooks.outbound.zoho_addresses import DATA_CENTERS, accounts_server, checked_accounts, checked_api
from webhooks.outbound.zoho_http import caller_for_people, with_query
from webhooks.outbound.zoho_sender import PATH
from webhooks.outbound.zoho_tokens import access_of
from webhooks.outbound.zoho_words import grant_code
from webhooks.outbox.hold import apply_webhook_states
from webhooks.services import integrations
from webhooks.services.integrations import ZOHO
from webhooks.services.lookup import live_location, note, now, row_or_404
from webhooks.services.parsing import Input, one_of
from webhooks.services.webhooks import Webhooks
from webhooks.services.zoho_api import TIMEOUT_S, ZohoApi, answered
from webhooks.services.zoho_extensions import extensions_of
from webhooks.settings import Settings

SCOPE: Final = "PhoneBridge.call.log"
CALLBACK: Final = "/zoho/callback"
STATES: Final[dict[str, str]] = {
    "waiting": "Not authorized yet",
    "authorized": "Authorized, not switched on",
    "connected": "Connected",
    "refused": "Zoho takes the grant no longer",
}

_Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class ZohoInput(Input):
    """The client that Zoho registered. The secret left out stays as it is."""

    client_id: _Word = Field(title="Client ID")
    client_secret: _Word | None = Field(default=None, title="Client secret")
    data_center: Annotated[str, one_of(DATA_CENTERS)] = Field(default="us", title="Data centre")


class Zoho:
    """Accounts by location, which has one at most. Raises NotFound as the other services do."""

    def __init__(self, settings: Settings, store: Store, webhooks: Webhooks) -> None:
        self._settings, self._store, self._webhooks = settings, store, webhooks
        self._caller = caller_for_people(settings)

    @property
    def redirect_uri(self) -> str:
        """Where Zoho leads people back to; the client has to be registered with it."""
        return f"{self._settings.base_url}{CALLBACK}"

    def all(self) -> Sequence[ZohoAccount]:
        """Read the accounts of all locations, by their names."""
        query = sa.select(ZohoAccount).join(Location).where(Location.deleted_at.is_(None))
        with self._store.read() as session:
            return session.scalars(query.order_by(Location.name).options(*_WITH_ROWS)).all()

    def refused(self) -> set[int]:
        """Name the locations whose grant Zoho takes no longer."""
        query = sa.select(ZohoAccount.location_id).where(ZohoAccount.state == "refused")
        with self._store.read() as session:
            return set(session.scalars(query))

    def of(self, location_id: int) -> ZohoAccount | None:
        """Read a location's account, None where it has none."""
        with self._store.read() as session:
            return _of(session, location_id)

    def by_name(self, name: str) -> ZohoAccount:
        """Read the account of the location of this name."""
        with self._store.read() as session:
            return _required(session, live_location(session, name))

    def prepare(self, name: str, given: ZohoInput) -> ZohoAccount:
        """Keep the client with which people of a location log in.

        A grant that was made for another client gives no further token: messages wait for the log-in.

        Raises:
            Invalid: no secret, and none is there to keep.
        """
        with self._store.write() as session:
            location = live_location(session, name)
            account = _of(session, location.id)
            if account is None:
                if given.client_secret is None:
                    raise Invalid("“Client secret” is missing.", "client_secret")
                account = ZohoAccount(
                    location=location, created_at=now(), client_secret=given.client_secret, version=0
                )
                session.add(account)
            account.client_id, account.data_center = given.client_id, given.data_center
            account.client_secret = given.client_secret or account.client_secret
            account.version += 1
            session.flush()
            note(session, location, f"Zoho PhoneBridge: client {given.client_id} set")
            return account

    def login_url(self, account: ZohoAccount, state: str) -> str:
        """Make the address at which a person grants us what we need."""
        return with_query(
            f"{accounts_server(self._settings, account.data_center)}/oauth/v2/auth",
            scope=SCOPE,
            client_id=account.client_id,
            redirect_uri=self.redirect_uri,
            response_type="code",
            access_type="offline",
            prompt="consent",  # else Zoho gives no refresh token to one who has consented before
            state=state,
        )

    def complete(self, location_id: int, code: str, named_server: str) -> ZohoAccount:
        """Make a grant of the code that Zoho led a person back with, which holds for a minute.

        Args:
            named_server: the accounts server, as the redirect names it: that of the person's data centre.

        Raises:
            Invalid: the server is none of Zoho's. ZohoFailed, ZohoRefused, ZohoTooMany: there is no grant.
        """
        with self._store.read() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} prepared for Zoho")
        if named_server:
            server = checked_accounts(self._settings, named_server)
        else:
            server = accounts_server(self._settings, account.data_center)
        form = {
            "grant_type": "authorization_code", "client_id": account.client_id,
            "client_secret": account.client_secret, "redirect_uri": self.redirect_uri, "code": code,
        }  # fmt: skip
        with answered("log in"):
            answer = self._caller.call("POST", f"{server}/oauth/v2/token", Deadline(TIMEOUT_S), form=form)
        if grant_code(answer) == "invalid_code":
            raise ZohoRefused("Zoho takes this log-in no longer: it holds once, for a minute. Log in again.")
        token, expires_s = access_of(answer)
        refresh_token = answer.fields.get("refresh_token")
        if not isinstance(refresh_token, str) or not refresh_token:
            raise ZohoFailed(
                "Zoho gave no refresh token, so that the connection would end within the hour. Remove this "
                "client's grant at Zoho (My Account, Connected Apps), then connect again."
            )
        api_url = checked_api(self._settings, str(answer.fields.get("api_domain") or ""))
        with self._store.write() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} prepared for Zoho")
            account.accounts_url, account.api_url = server, api_url
            account.refresh_token, account.access_token = refresh_token, token
            account.expires_at = now() + timedelta(seconds=expires_s)
            account.refreshing_until, account.refreshed_ms = 0, str(now_ms())
            account.state, account.detail = "authorized", ""
            account.version += 1
            config_changed(session.connection())
            note(session, account.location, f"authorized at Zoho, {api_url}")
            return account

    def switch_on(self, location_id: int) -> ZohoAccount:
        """Switch PhoneBridge on, read its users, and send what is held.

        Raises:
            ZohoFailed, ZohoRefused, ZohoTooMany: Zoho did not; the account says why as well.
        """
        with self._store.read() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} prepared for Zoho")
        api = self._api(account)
        try:
            api.integrate()
            users = api.users()
        except SpokeError as error:
            with self._store.write() as session:
                account = row_or_404(session.get(ZohoAccount, account.id), "connection to Zoho any more")
                account.detail = str(error)
            raise
        with self._store.write() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} prepared for Zoho")
            account.state, account.detail = "connected", ""
            account.users, account.users_at = users, now()
            webhook = self._connected(session, account)
            resumes = webhook.state == "disabled" and webhook.resume is None
        if resumes:
            self._webhooks.resume(webhook.id)
        return account

    def read_users(self, location_id: int) -> ZohoAccount:
        """Read Zoho's users anew. Raises ZohoFailed, ZohoRefused, ZohoTooMany."""
        with self._store.read() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} connected to Zoho")
        users = self._api(account).users()
        with self._store.write() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} connected to Zoho")
            account.users, account.users_at = users, now()
            return account

    def change(self, location_id: int, extensions: Mapping[str, str], *, as_ended: bool) -> ZohoAccount:
        """Say which extensions are whose, and how calls that nobody took are told.

        Args:
            extensions: by a user's id at Zoho, with commas between them.

        Raises:
            Invalid: an extension is two users'.
        """
        with self._store.write() as session:
            account = row_or_404(_of(session, location_id), f"location {location_id} connected to Zoho")
            account.extensions = extensions_of(extensions, account.users)
            account.as_ended = as_ended
            config_changed(session.connection())
            told = "told as ended" if as_ended else "told as what they are"
            note(
                session,
                account.location,
                f"Zoho PhoneBridge: {counted(len(account.extensions), 'extension')} set; "
                f"calls that nobody took are {told}",
            )
            return account

    def disconnect(self, name: str) -> str | None:
        """Switch PhoneBridge off, forget the grant, drop what is not sent.

        Returns what ``let_go`` does: the grant is forgotten all the same.
        """
        problem = self.let_go(self.by_name(name).location_id)
        with self._store.write() as session:
            location = live_location(session, name)
            session.execute(sa.delete(ZohoAccount).where(ZohoAccount.location_id == location.id))
            gone: Sequence[int] = []
            if integrations.find(session, location, ZOHO) is not None:
                gone = integrations.disconnect(session, location, ZOHO)
        apply_webhook_states(self._store, gone)
        return problem

    def let_go(self, location_id: int) -> str | None:
        """Switch PhoneBridge off and give the grant back, at Zoho alone.

        Returns what Zoho did not do, None where nothing is left there.
        """
        account = self.of(location_id)
        if account is None or account.refresh_token is None:
            return None
        api, problems = self._api(account), []
        for step in (api.disintegrate, api.revoke):
            try:
                step()
            except SpokeError as error:
                problems.append(str(error))
        return problems[0] if problems else None

    def _api(self, account: ZohoAccount) -> ZohoApi:
        return ZohoApi(self._store, self._caller, account.id)

    def _connected(self, session: orm.Session, account: ZohoAccount) -> Webhook:
        """Make the connection and its one webhook, for all events, where they are not there."""
        if integrations.find(session, account.location, ZOHO) is None:
            integrations.connect(session, account.location, ZOHO)
        webhook = account.webhook
        if webhook is None or webhook.deleted_at is not None:
            webhook = Webhook(
                location=account.location, integration=ZOHO.name, kind="any", url="", description=ZOHO.title,
                state="active", secret=new_secret(), version=1, created_at=now(),
                lane=Lane(not_before=0, failures=0, broken=0),
            )  # fmt: skip
            session.add(webhook)
            account.webhook = webhook
        webhook.url = f"{account.api_url}{PATH}"
        session.flush()
        config_changed(session.connection())
        return webhook


_WITH_ROWS: Final = (
    orm.joinedload(ZohoAccount.location, innerjoin=True),
    orm.joinedload(ZohoAccount.webhook),
)


def _of(session: orm.Session, location_id: int) -> ZohoAccount | None:
    query = sa.select(ZohoAccount).join(Location).where(Location.deleted_at.is_(None))
    return session.scalar(query.where(ZohoAccount.location_id == location_id).options(*_WITH_ROWS))


def _required(session: orm.Session, location: Location) -> ZohoAccount:
    return row_or_404(_of(session, location.id), f"connection of {location.name} to Zoho PhoneBridge")
