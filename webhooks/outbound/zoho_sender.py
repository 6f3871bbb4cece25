"""An attempt at Zoho PhoneBridge: translate, post with a token that holds, read the answer."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from webhooks.catalogue import HIDDEN, MEDIA_TYPES
from webhooks.cleaning import clean
from webhooks.db.store import Store, now_ms
from webhooks.errors import AttemptError, Invalid, SpokeError, ZohoFailed, ZohoRefused, ZohoTooMany
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain
from webhooks.outbound.retry_after import retry_after_s
from webhooks.outbound.sender import Message, Outcome, internal_error
from webhooks.outbound.user_agent import USER_AGENT
from webhooks.outbound.zoho_http import FORM, PinnedCaller, ZohoAnswer
from webhooks.outbound.zoho_notices import Told, Wishes, is_too_late, notice
from webhooks.outbound.zoho_tokens import Account, TokenKeeper, account_id_of
from webhooks.outbound.zoho_words import is_success, refusal

PATH: Final = "/phonebridge/v3/callnotify"
_RATE_LIMIT_S: Final = 60.0  # where Zoho asks for fewer messages and does not say for how long
_KEPT_TEXT: Final = 16 << 10  # characters of an answer that are kept
# The calls of a thread are few; what a broken phone system numbers alike is cut off.
_EVENTS_OF_CALL: Final = """
    SELECT e.id, e.body, e.accepted_at, e.type FROM delivery d JOIN event o ON o.id = d.event_id
    JOIN event e ON e.thread_key = o.thread_key AND e.location_id = o.location_id
    WHERE d.id = :delivery_id AND e.id <= o.id ORDER BY e.id DESC LIMIT 50
"""
_MEDIA: Final = """
    SELECT m.id FROM delivery d JOIN media m ON m.event_id = d.event_id
    WHERE d.id = :delivery_id AND m.state = 'ready'
"""


class _TooLate(SpokeError):
    """The message announces a call that has been ringing for too long."""


class ZohoSender:
    """Tells one location's calls to Zoho. Threads may share it.

    ``link`` makes a download link of a recording's id, which lives as long as Zoho may take to fetch it.
    """

    def __init__(
        self,
        webhook_id: int,
        store: Store,
        caller: PinnedCaller,
        link: Callable[[str], str],
        timeout_s: float,
    ) -> None:
        self._webhook_id, self._store, self._caller = webhook_id, store, caller
        self._link, self._timeout_s = link, timeout_s
        self._keeper: TokenKeeper | None = None
        self._known: tuple[Account, str] | None = None  # the account and its token

    def reload(self) -> None:
        """Read the account anew before the next attempt: it may have changed."""
        self._known = None

    def close(self) -> None:
        self._caller.close()

    def send(self, message: Message, deadline: Deadline) -> Outcome:
        """Make one attempt. Returns its outcome, also of a failure: none is raised."""
        outcome = Outcome(message.delivery_id, message.number, now_ms())
        try:
            self._notify(message, deadline, outcome)
        except _TooLate as error:
            outcome.error, outcome.expired = str(error), True
        except ZohoRefused as error:
            outcome.error = outcome.disable = str(error)
        except ZohoTooMany as error:
            outcome.error, outcome.retry_after_s = str(error), error.retry_after_s
        except AttemptError as error:
            outcome.error, outcome.broken = str(error), error.connection
        except ZohoFailed as error:
            outcome.error = str(error)
        except (OSError, Invalid) as error:
            outcome.error = _of_zoho(explain(error, deadline, self._timeout_s))
            outcome.broken = True
        except Exception as error:  # whatever it is, it is this attempt's failure and no other's
            outcome.error = internal_error(error)
        outcome.interrupted = deadline.stopped and outcome.http_status is None and outcome.error is not None
        if outcome.interrupted:
            outcome.error = "Interrupted: the appliance was stopped meanwhile. The attempt is made again."
        outcome.duration_s = time.monotonic() - deadline.started_s
        return outcome

    def _notify(self, message: Message, deadline: Deadline, outcome: Outcome) -> None:
        event, call, voice_link = self._read(message)
        if is_too_late(event, datetime.now(UTC)):
            raise _TooLate("Not sent: the call began to ring more than two minutes before.")
        known = self._known
        if known is None:
            known = self._known = self._tokens().token(deadline)
        account, token = known
        form = notice(event, call, voice_link, Wishes(account.extensions, account.as_ended))
        outcome.request_headers = _shown(form)
        answer = self._post(account, token, form, deadline)
        if answer.status == 401:
            account, token = self._known = self._tokens().token(deadline, rejected=token)
            answer = self._post(account, token, form, deadline)
        _note(answer, outcome)

    def _tokens(self) -> TokenKeeper:
        if self._keeper is None:
            self._keeper = TokenKeeper(
                self._store, self._caller, account_id_of(self._store, self._webhook_id)
            )
        return self._keeper

    def _post(self, account: Account, token: str, form: dict[str, str], deadline: Deadline) -> ZohoAnswer:
        # Zoho's authentication page says Bearer; its samples, and its servers, want this word.
        headers = {"Authorization": f"Zoho-oauthtoken {token}"}
        return self._caller.call("POST", f"{account.api_url}{PATH}", deadline, form=form, headers=headers)

    def _read(self, message: Message) -> tuple[Told, list[Told], str | None]:
        """The event, the events of its call, and a link to its recording."""
        parameters = {"delivery_id": message.delivery_id}
        with self._store.direct_read() as direct:
            rows = direct.rows(_EVENTS_OF_CALL, parameters)
            own = Told.of(message.body, rows[0][2])
            voice_link = None
            if own.fields["type"] in MEDIA_TYPES:
                media = direct.row(_MEDIA, parameters)
                voice_link = self._link(media[0]) if media else _own_link(own)
        call = [Told.of(body, at_ms) for _, body, at_ms, type_ in reversed(rows) if type_ not in MEDIA_TYPES]
        return own, call, voice_link


def _own_link(event: Told) -> str | None:
    """The address that a phone system gave, which keeps its recordings itself."""
    address = event.fields.get("attachments")
    is_web = isinstance(address, str) and address.startswith(("https://", "http://"))
    return str(address) if is_web else None


def _note(answer: ZohoAnswer, outcome: Outcome) -> None:
    outcome.http_status = answer.status
    headers = {clean(name)[:200]: clean(value)[:1000] for name, value in [*answer.headers.items()][:50]}
    outcome.response_headers = json.dumps(headers, ensure_ascii=False)
    outcome.response_body = answer.text[:_KEPT_TEXT]
    if is_success(answer):
        return
    outcome.error = refusal(answer)
    outcome.final = answer.status in (400, 403)
    if answer.status in (429, 503):
        values = [value for name, value in answer.headers.items() if name.lower() == "retry-after"]
        outcome.retry_after_s = retry_after_s(answer.status, values)
        if outcome.retry_after_s is None and answer.status == 429:
            outcome.retry_after_s = _RATE_LIMIT_S


def _shown(form: dict[str, str]) -> str:
    """The request as the log has it: the token is never there, a link without its signature."""
    if "voiceuri" in form:
        form = {**form, "voiceuri": form["voiceuri"].partition("?")[0]}
    return json.dumps(
        {
            "Authorization": f"Zoho-oauthtoken {HIDDEN}",
            "Content-Type": FORM,
            "User-Agent": USER_AGENT,
            "(form)": urlencode(form, safe="/:"),
        },
        ensure_ascii=False,
    )


def _of_zoho(sentence: str) -> str:
    return sentence.replace("The receiver", "Zoho").replace("the webhook's URL", "Zoho's address")
