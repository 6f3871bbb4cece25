"""Fetch a recording from the address that an event names, by the address rules for receivers."""

import contextlib
from collections.abc import Callable
from typing import Final

import requests

from webhooks.errors import AttemptError, FetchFailed, Invalid, TargetRefused
from webhooks.outbound.address_rules import AddressRules, check_url
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.target import prepared, wire_url
from webhooks.outbound.tls import ssl_context
from webhooks.outbound.transport import Transport
from webhooks.outbound.user_agent import USER_AGENT
from webhooks.settings import Settings

TIMEOUT_S: Final = 60.0  # for all of it: the PBX waits for its answer meanwhile
_PIECE_BYTES: Final = 1 << 16


class Fetcher:
    """Fetches files; makes a connection for each call and keeps none. One a process."""

    def __init__(self, settings: Settings) -> None:
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._connector = Connector(self._rules, Proxy.of(settings.proxy))

    def fetch(self, url: str, take: Callable[[bytes], None]) -> None:
        """GET an address and hand its bytes to ``take``, piece by piece.

        Raises:
            Invalid: no http(s) address. TargetRefused: the rules forbid it. FetchFailed: no whole file came.
        """
        self._rules.check_host(check_url(url))
        deadline = Deadline(TIMEOUT_S)
        transport = Transport(self._connector, 0, ssl_context(None, True))
        try:
            self._get(transport, url, deadline, take)
        except TargetRefused:
            raise
        except (AttemptError, OSError) as error:
            raise FetchFailed(f"media_url: {self._reason(error, deadline)}") from None

    def _get(self, transport: Transport, url: str, deadline: Deadline, take: Callable[[bytes], None]) -> None:
        try:
            address = wire_url(url)
        except (requests.RequestException, UnicodeError) as error:
            raise Invalid(f"media_url cannot be called: {error}") from None
        headers = {"User-Agent": USER_AGENT, "Accept": "audio/*", "Accept-Encoding": "identity"}
        response = transport.send(prepared("GET", address, headers), timeout=deadline)
        with contextlib.closing(response.raw):
            if response.status_code != 200:
                raise FetchFailed(
                    f"media_url: it answered {response.status_code}; 200 with the file is right."
                )
            while piece := response.raw.read(_PIECE_BYTES):
                take(piece)

    @staticmethod
    def _reason(error: Exception, deadline: Deadline) -> str:
        """Explain, with a server and an address in place of a receiver and its webhook."""
        sentence = explain(error, deadline, TIMEOUT_S)
        return sentence.replace("The receiver", "The server").replace("the webhook's URL", "the address")
