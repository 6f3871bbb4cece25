"""Tell the subscriber of a REST hook that it has ended: ``DELETE`` of its address, which Zapier understands.

The rules for the addresses of receivers hold.
"""

from typing import Final

import requests
import urllib3.exceptions

from webhooks.errors import AttemptError, ConnectionFailed, Invalid
from webhooks.outbound.address_rules import AddressRules, check_url
from webhooks.outbound.deadline import Deadline, watched
from webhooks.outbound.explain import explain
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.pinned_adapter import Connector, PinnedAdapter, deadline_scope, ssl_context
from webhooks.outbound.user_agent import USER_AGENT
from webhooks.settings import Settings

TIMEOUT_S: Final = 10.0
_ENDED: Final = frozenset({404, 405, 410})  # it knows no such hook any more, or takes no word of its end


class Unsubscriber:
    """Makes a connection for each address and keeps none. One a process."""

    def __init__(self, settings: Settings) -> None:
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._connector = Connector(self._rules, Proxy.of(settings.proxy))

    def send(self, url: str) -> str | None:
        """Make one attempt. Returns why it failed, None where the subscriber knows."""
        deadline = Deadline(TIMEOUT_S)
        adapter = PinnedAdapter(self._connector, 1, ssl_context(None, True))
        try:
            self._rules.check_host(check_url(url))
            with watched(deadline), deadline_scope(deadline):
                status = self._delete(adapter, url, deadline)
        except Invalid as error:
            return str(error)
        except (AttemptError, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return explain(error, deadline, TIMEOUT_S)
        finally:
            adapter.close()
        return None if 200 <= status < 300 or status in _ENDED else f"It answered {status}."

    @staticmethod
    def _delete(adapter: PinnedAdapter, url: str, deadline: Deadline) -> int:
        try:
            request = requests.Request("DELETE", url, {"User-Agent": USER_AGENT}).prepare()
        except UnicodeError as error:
            raise Invalid(f"The URL cannot be called: {error}.") from None
        response = adapter.send(request, stream=True, timeout=deadline.left_s())
        response.raw.close()
        if deadline.aborted_by:  # http.client takes headers that were cut off for complete ones
            raise ConnectionFailed(f"No complete answer came within {TIMEOUT_S:g} seconds.")
        return response.status_code
