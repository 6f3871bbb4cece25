"""Getting a recording from an address that an event names, by the rules for receivers."""

import contextlib
import threading
from collections.abc import Callable
from typing import Final

import requests
import urllib3.exceptions

from webhooks.errors import AttemptError, FetchFailed, Invalid, TargetRefused
from webhooks.outbound.address_rules import AddressRules, check_url
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.pinned_adapter import Connector, PinnedAdapter, trust, under
from webhooks.settings import VERSION, Settings

SECONDS: Final = 60.0  # for all of it: the PBX waits for our answer meanwhile
_PIECE: Final = 1 << 16


class Fetcher:
    """One for each process; makes a connection for each call and keeps none."""

    def __init__(self, settings: Settings) -> None:
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._gate = Connector(self._rules, Proxy.of(settings.proxy))

    def fetch(self, url: str, take: Callable[[bytes], None]) -> None:
        """GET an address and hand its bytes on, piece by piece.

        Raises:
            Invalid: no http(s) address. TargetRefused: the rules forbid it. FetchFailed: it gives nothing.
        """
        self._rules.check_host(check_url(url))
        deadline = Deadline(SECONDS)
        adapter = PinnedAdapter(self._gate, 1, trust(None, True))
        watch = threading.Timer(SECONDS, deadline.cut, ["deadline"])
        watch.daemon = True
        watch.start()
        try:
            with under(deadline):
                self._get(adapter, url, deadline, take)
        except TargetRefused:
            raise
        except (AttemptError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise FetchFailed(f"media_url: {self._reason(error, deadline)}") from None
        finally:
            watch.cancel()
            adapter.close()

    def _get(
        self, adapter: PinnedAdapter, url: str, deadline: Deadline, take: Callable[[bytes], None]
    ) -> None:
        try:
            request = requests.Request("GET", url).prepare()
        except (requests.RequestException, UnicodeError) as error:
            raise Invalid(f"media_url cannot be called: {error}") from None
        request.headers.update(
            {"User-Agent": f"Spoke-Webhooks/{VERSION}", "Accept": "audio/*", "Accept-Encoding": "identity"}
        )
        response = adapter.send(request, stream=True, timeout=deadline.left())
        with contextlib.closing(response.raw):
            if response.status_code != 200:
                raise FetchFailed(
                    f"media_url: it answered {response.status_code}; 200 with the file is right."
                )
            came = 0
            # urllib3 itself counts: a body that is shorter than announced is an error.
            while piece := response.raw.read(_PIECE, decode_content=False):
                came += len(piece)
                take(piece)
            announced = response.headers.get("Content-Length", "")
            if deadline.cut_by or (announced.isdecimal() and came < int(announced)):
                raise FetchFailed(
                    f"media_url: the file was not there within {SECONDS:.0f} seconds: {came:,} bytes came."
                )

    @staticmethod
    def _reason(error: Exception, deadline: Deadline) -> str:
        """The sentences speak of a receiver and its webhook; here it is a server and an address."""
        sentence = explain(error, deadline, SECONDS)
        return sentence.replace("The receiver", "The server").replace("the webhook's URL", "the address")
