"""Access tokens for Zoho: kept sealed in the database, asked for by one thread of one process at a time.

Zoho gives ten access tokens in ten minutes for a grant, each for an hour, and then none
(https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html). So whoever needs a new one
takes a lease in the account's row first; the others, on whatever machine, wait for what comes of it.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhooks.db.raw import RawConnection
from webhooks.db.store import Store, now_ms
from webhooks.errors import ConnectionFailed, SecretLost, ZohoFailed, ZohoRefused, ZohoTooMany
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.zoho_http import Caller, ZohoAnswer
from webhooks.outbound.zoho_words import grant_code, grant_refusal, is_known_grant_code

TOKENS_MOST: Final = 10  # in …
TOKENS_SPAN_MS: Final = 600_000  # … ten minutes
_MARGIN_MS: Final = 60_000  # a token that ends within it is not used any more
_LEASE_MS: Final = 40_000  # longer than any attempt: 25 s at most
_LOOK_S: Final = 0.1
_COLUMNS: Final = (
    "id, version, client_id, client_secret, accounts_url, api_url, refresh_token, access_token, expires_at, "
    "refreshing_until, refreshed_ms, state, detail, extensions, as_ended"
)
_READ: Final = f"SELECT {_COLUMNS} FROM zoho_account WHERE id = :id"
_ID: Final = "SELECT id FROM zoho_account WHERE webhook_id = :webhook_id"
_LEASE: Final = """
    UPDATE zoho_account SET refreshing_until = :until
    WHERE id = :id AND version = :version AND refreshing_until = :known
"""
_KEEP: Final = """
    UPDATE zoho_account
    SET access_token = :token, expires_at = :expires, refreshed_ms = :refreshed, refreshing_until = 0
    WHERE id = :id AND version = :version
"""
_GIVE_UP: Final = "UPDATE zoho_account SET refreshing_until = 0 WHERE id = :id AND version = :version"
_REFUSED: Final = """
    UPDATE zoho_account SET state = 'refused', detail = :detail, access_token = NULL, refreshing_until = 0
    WHERE id = :id AND version = :version
"""
_TOKEN: Final = re.compile(r"[!-~]{1,4000}")  # what may stand in a header
_AGAIN: Final = "Press “Connect again” on its page."


@dataclass(frozen=True, slots=True)
class Account:
    """A row of ``zoho_account``, its secrets opened. Times in ms since 1970."""

    id: int
    version: int
    client_id: str
    client_secret: str
    accounts_url: str
    api_url: str
    refresh_token: str | None
    access_token: str | None
    expires_ms: int
    refreshing_until: int
    refreshed_ms: tuple[int, ...]
    state: str
    detail: str
    extensions: Mapping[str, str]
    as_ended: bool

    def given_lately(self, at_ms: int) -> list[int]:
        """When each token was given that counts against Zoho's limit. What failed gave none."""
        return [ms for ms in self.refreshed_ms if at_ms - TOKENS_SPAN_MS < ms <= at_ms]

    def usable_token(self, rejected: str | None, at_ms: int) -> str | None:
        """The token, where it holds and is not the one that Zoho has just rejected."""
        fresh = self.access_token and self.expires_ms - _MARGIN_MS > at_ms
        return self.access_token if fresh and self.access_token != rejected else None


class TokenKeeper:
    """The tokens of one account in this process. Threads may share it."""

    def __init__(self, store: Store, caller: Caller, account_id: int) -> None:
        self._store, self._caller, self._account_id = store, caller, account_id
        self._turn = threading.Lock()

    def account(self) -> Account:
        """Read the account.

        Raises:
            ZohoRefused: it is gone, or its secrets cannot be read.
        """
        with self._store.direct_read() as direct:
            return self._read(direct)

    def token(self, deadline: Deadline, rejected: str | None = None) -> tuple[Account, str]:
        """Return the account with a token that holds, asked for where there is none.

        Args:
            rejected: a token that Zoho has just answered 401 for.

        Raises:
            ZohoRefused: a person has to connect again. ZohoTooMany: none is given now.
            ZohoFailed, AttemptError, RequestException, OSError: none came.
        """
        if not self._turn.acquire(timeout=max(deadline.left_s(), 0)):
            raise _too_slow()
        try:
            while True:
                account = self.account()
                token = account.usable_token(rejected, now_ms())
                if token is not None:
                    return account, token
                if self._take_lease(account):
                    return account, self._renewed(account, deadline)
                if deadline.left_s() <= _LOOK_S:
                    raise _too_slow()
                time.sleep(_LOOK_S)
        finally:
            self._turn.release()

    def _take_lease(self, account: Account) -> bool:
        """Become the one who asks. Returns False where another process does, or has just done so."""
        if account.state == "refused" or account.refresh_token is None:
            raise ZohoRefused(account.detail or f"Nobody has logged in at Zoho yet. {_AGAIN}")
        at_ms = now_ms()
        if account.refreshing_until > at_ms:
            return False
        lately = account.given_lately(at_ms)
        if len(lately) >= TOKENS_MOST:
            raise ZohoTooMany((lately[0] + TOKENS_SPAN_MS - at_ms) / 1000)
        parameters = {
            "id": account.id, "version": account.version, "known": account.refreshing_until,
            "until": at_ms + _LEASE_MS,
        }  # fmt: skip
        with self._store.direct() as direct:
            if not direct.run(_LEASE, parameters):
                return False
            # Who had the lease before may have brought one between our look and our lease.
            if self._read(direct).access_token == account.access_token:
                return True
            direct.run(_GIVE_UP, parameters)
            return False

    def _renewed(self, account: Account, deadline: Deadline) -> str:
        """Ask for a token by the grant, and keep it."""
        own = {"id": account.id, "version": account.version}
        try:
            answer = self._caller.call(
                "POST",
                f"{account.accounts_url}/oauth/v2/token",
                deadline,
                form={
                    "grant_type": "refresh_token", "client_id": account.client_id,
                    "client_secret": account.client_secret, "refresh_token": account.refresh_token or "",
                },
            )  # fmt: skip
            token, expires_s = access_of(answer)
        except ZohoRefused as error:
            sentence = f"{error} {_AGAIN}"
            with self._store.direct() as direct:
                direct.run(_REFUSED, {**own, "detail": sentence})
            raise ZohoRefused(sentence) from None
        except BaseException:
            with self._store.direct() as direct:
                direct.run(_GIVE_UP, own)
            raise
        at_ms = now_ms()
        kept = {
            "token": self._store.vault.seal(token), "expires": at_ms + expires_s * 1000,
            "refreshed": ",".join(map(str, [*account.given_lately(at_ms), at_ms])),
        }  # fmt: skip
        with self._store.direct() as direct:
            direct.run(_KEEP, {**own, **kept})
        return token

    def _read(self, direct: RawConnection) -> Account:
        row = direct.row(_READ, {"id": self._account_id})
        if row is None:
            raise ZohoRefused("The location is connected to Zoho no longer.")
        try:
            return _account(row, self._store)
        except SecretLost:
            raise ZohoRefused(
                "What was kept for Zoho was sealed with another secret key. Restore that key, or set "
                "SPOKE_OLD_SECRET_KEYS to it; if it is lost, press “Connect again”."
            ) from None


def account_id_of(store: Store, webhook_id: int) -> int:
    """Return the account of a webhook. Raises ZohoRefused where there is none."""
    with store.direct_read() as direct:
        row = direct.row(_ID, {"webhook_id": webhook_id})
    if row is None:
        raise ZohoRefused("The location is connected to Zoho no longer.")
    return int(row[0])


def access_of(answer: ZohoAnswer) -> tuple[str, int]:
    """Return the access token of an answer of the accounts server, and for how many seconds it holds.

    Raises:
        ZohoRefused: the grant or the client is not taken. ZohoTooMany: not now. ZohoFailed: anything else.
    """
    fields = answer.fields
    token, code = fields.get("access_token"), grant_code(answer)
    if answer.status == 200 and isinstance(token, str) and _TOKEN.fullmatch(token):
        expires = fields.get("expires_in")
        return token, expires if isinstance(expires, int) and 0 < expires <= 86_400 else 3600
    described = str(fields.get("error_description") or "")
    if answer.status == 429 or "too many requests" in described.lower():
        raise ZohoTooMany(TOKENS_SPAN_MS / 1000)
    if is_known_grant_code(code):
        raise ZohoRefused(grant_refusal(code))
    raise ZohoFailed(
        f"Zoho's accounts server answered {answer.status}{f' ({code})' if code else ''}, no token."
    )


def _account(row: tuple[Any, ...], store: Store) -> Account:
    (
        id_, version, client_id, client_secret, accounts_url, api_url, refresh_token, access_token,
        expires_ms, refreshing_until, refreshed_ms, state, detail, extensions, as_ended,
    ) = row  # fmt: skip
    opened = store.vault.open
    return Account(
        id_,
        version,
        client_id,
        opened(client_secret),
        accounts_url,
        api_url,
        refresh_token and opened(refresh_token),
        access_token and opened(access_token),
        expires_ms or 0,
        refreshing_until,
        tuple(int(ms) for ms in refreshed_ms.split(",") if ms),
        state,
        detail,
        json.loads(extensions) if isinstance(extensions, str) else extensions,
        bool(as_ended),
    )


def _too_slow() -> ConnectionFailed:
    return ConnectionFailed("Zoho gave no access token in time; another process was asking for one.")
