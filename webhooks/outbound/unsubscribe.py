"""Tell the subscriber of a REST hook that it has ended: ``DELETE`` of its address, which Zapier understands.

The rules for the addresses of receivers hold.
"""

from typing import Final

import requests

from webhooks.errors import AttemptError, Invalid
from webhooks.outbound.address_rules import AddressRules, check_url
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain, message_of
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.sender import internal_error
from webhooks.outbound.target import prepared, wire_url
from webhooks.outbound.tls import ssl_context
from webhooks.outbound.transport import Transport
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
        try:
            self._rules.check_host(check_url(url))
            status = self._delete(url, deadline)
        except Invalid as error:
            return str(error)
        except (AttemptError, OSError) as error:
            return explain(error, deadline, TIMEOUT_S)
        except Exception as error:  # counted and given up like any other: it must not come back for ever
            return internal_error(error)
        return None if 200 <= status < 300 or status in _ENDED else f"It answered {status}."

    def _delete(self, url: str, deadline: Deadline) -> int:
        try:
            request = prepared("DELETE", wire_url(url), {"User-Agent": USER_AGENT}, b"")
        except (requests.RequestException, UnicodeError) as error:
            raise Invalid(f"The URL cannot be called: {message_of(error)}.") from None
        response = Transport(self._connector, 0, ssl_context(None, True)).send(request, timeout=deadline)
        response.raw.close()
        return response.status_code
