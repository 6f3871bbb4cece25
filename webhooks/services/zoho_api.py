"""PhoneBridge's API where a person waits for it: switched on and off, its users.

Source: https://www.zoho.com/phonebridge/developer/v3/, pages integration and zoho-user-list.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from webhooks.cleaning import clean
from webhooks.db.store import Store
from webhooks.errors import AttemptError, ZohoFailed
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain
from webhooks.outbound.zoho_http import Caller, ZohoAnswer, with_query
from webhooks.outbound.zoho_tokens import TokenKeeper
from webhooks.outbound.zoho_words import is_success, refusal

TIMEOUT_S: Final = 8.0  # a person waits
_PAGE_USERS: Final = 1000  # the most that Zoho gives at a time
_PAGES: Final = 10


@contextlib.contextmanager
def answered(what: str) -> Iterator[None]:
    """Raise ZohoFailed where no answer comes; ``what`` says what was to be done."""
    try:
        yield
    except AttemptError as error:
        raise ZohoFailed(f"Zoho could not be asked to {what}: {error}") from None
    except OSError as error:
        sentence = explain(error, Deadline(TIMEOUT_S), TIMEOUT_S).replace("The receiver", "Zoho")
        raise ZohoFailed(f"Zoho could not be asked to {what}. {sentence}") from None


class ZohoApi:
    """One account's, for as long as a person waits: a deadline holds for all calls together.

    Each raises ZohoFailed, ZohoRefused or ZohoTooMany where it was not done.
    """

    def __init__(self, store: Store, caller: Caller, account_id: int) -> None:
        self._caller = caller
        self._keeper = TokenKeeper(store, caller, account_id)
        self._deadline = Deadline(TIMEOUT_S)

    def integrate(self) -> None:
        """Switch PhoneBridge on: Zoho takes notices from now on."""
        self._done("switch PhoneBridge on", "POST", "/phonebridge/v3/integrate")

    def disintegrate(self) -> None:
        """Switch PhoneBridge off."""
        self._done("switch PhoneBridge off", "DELETE", "/phonebridge/v3/integrate")

    def revoke(self) -> None:
        """Give the grant back: Zoho takes its refresh token and its access tokens no longer.

        Source: https://www.zoho.com/accounts/protocol/oauth/revoke-refresh-token.html
        """
        with answered("take the grant back"):
            account = self._keeper.account()
            address = f"{account.accounts_url}/oauth/v2/token/revoke"
            url = with_query(address, token=account.refresh_token or "")
            answer = self._caller.call("POST", url, self._deadline)
        if not is_success(answer):
            raise ZohoFailed(f"Zoho did not take the grant back: it answered {answer.status}.")

    def users(self) -> list[dict[str, str]]:
        """List the users of the account: ``zohouser``, ``email``, ``username``."""
        found: dict[str, dict[str, str]] = {}
        for page in range(1, _PAGES + 1):
            path = with_query("/phonebridge/v3/users", page=str(page), perPage=str(_PAGE_USERS))
            answer = self._call("list its users", "GET", path)
            users = answer.fields.get("users")
            if not 200 <= answer.status < 300 or not isinstance(users, list):
                raise ZohoFailed(refusal(answer))
            shown = [_user(user) for user in users if isinstance(user, dict) and user.get("zohouser")]
            before = len(found)
            found |= {user["zohouser"]: user for user in shown}
            if len(users) < _PAGE_USERS or len(found) == before:  # the same page, whichever was asked for
                break
        return [*found.values()]

    def _done(self, what: str, method: str, path: str) -> None:
        answer = self._call(what, method, path)
        if not is_success(answer):
            raise ZohoFailed(refusal(answer))

    def _call(self, what: str, method: str, path: str) -> ZohoAnswer:
        deadline = self._deadline
        with answered(what):
            account, token = self._keeper.token(deadline)
            answer = self._ask(method, account.api_url + path, token, deadline)
            if answer.status == 401:
                account, token = self._keeper.token(deadline, rejected=token)
                answer = self._ask(method, account.api_url + path, token, deadline)
            return answer

    def _ask(self, method: str, url: str, token: str, deadline: Deadline) -> ZohoAnswer:
        headers = {"Authorization": f"Zoho-oauthtoken {token}"}
        return self._caller.call(method, url, deadline, headers=headers)


def _user(given: dict[str, Any]) -> dict[str, str]:
    return {name: clean(str(given.get(name) or ""))[:200] for name in ("zohouser", "email", "username")}
