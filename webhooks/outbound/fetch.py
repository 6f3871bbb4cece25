"""Fetch a recording from the address that an event names, by the address rules for receivers."""

import contextlib
from collections.abc import Callable
from typing import Final

import requests
import urllib3.exceptions

from webhooks.errors import AttemptError, FetchFailed, Invalid, TargetRefused
from webhooks.outbound.address_rules import AddressRules, check_url
from webhooks.outbound.deadline import Deadline, watched
from webhooks.outbound.explain import explain
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.pinned_adapter import Connector, PinnedAdapter, deadline_scope, ssl_context
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
        adapter = PinnedAdapter(self._connector, 1, ssl_context(None, True))
        try:
            with watched(deadline), deadline_scope(deadline):
                self._get(adapter, url, deadline, take)
        except TargetRefused:
            raise
        except (AttemptError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise FetchFailed(f"media_url: {self._reason(error, deadline)}") from None
        finally:
            adapter.close()

    def _get(
        self, adapter: PinnedAdapter, url: str, deadline: Deadline, take: Callable[[bytes], None]
    ) -> None:
        try:
            request = requests.Request("GET", url).prepare()
        except (requests.RequestException, UnicodeError) as error:
            raise Invalid(f"media_url cannot be called: {error}") from None
        request.headers.update({"User-Agent": USER_AGENT, "Accept": "audio/*", "Accept-Encoding": "identity"})
        response = adapter.send(request, stream=True, timeout=deadline.left_s())
        with contextlib.closing(response.raw):
            if response.status_code != 200:
                raise FetchFailed(
                    f"media_url: it answered {response.status_code}; 200 with the file is right."
                )
            received_bytes = 0
            # urllib3 itself counts: a body that is shorter than announced is an error.
            while piece := response.raw.read(_PIECE_BYTES, decode_content=False):
                received_bytes += len(piece)
                take(piece)
            announced = response.headers.get("Content-Length", "")
            if deadline.aborted_by or (announced.isdecimal() and received_bytes < int(announced)):
                raise FetchFailed(
                    f"media_url: the file was not there within {TIMEOUT_S:.0f} seconds: "
                    f"{received_bytes:,} bytes came."
                )

    @staticmethod
    def _reason(error: Exception, deadline: Deadline) -> str:
        """Explain, with a server and an address in place of a receiver and its webhook."""
        sentence = explain(error, deadline, TIMEOUT_S)
        return sentence.replace("The receiver", "The server").replace("the webhook's URL", "the address")
