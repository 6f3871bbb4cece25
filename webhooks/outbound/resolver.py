"""Host names to addresses, with a limit on the wait."""

import concurrent.futures
import ipaddress
import socket
from typing import Final

from webhooks.errors import ConnectionFailed
from webhooks.outbound.address_rules import Address, literal

_LOOKUP_THREADS: Final = 256  # more than attempts can be under way: a dead resolver keeps nobody waiting


class Resolver:
    """Looks names up in a pool of its own: getaddrinfo cannot be interrupted, so nobody else waits on it.

    A name that is being looked up is not looked up again beside: a dead resolver costs one thread a name.
    """

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(_LOOKUP_THREADS, "lookup")
        self._running: dict[str, concurrent.futures.Future[list[Address]]] = {}

    def addresses(self, host: str, wait: float) -> list[Address]:
        """All addresses of a name, in the system's order. ``wait`` in seconds.

        Raises:
            ConnectionFailed: no such name, or no answer in time.
        """
        known = literal(host)
        if known is not None:
            return [known]
        future = self._running.get(host)
        if future is None or future.done():
            future = self._running[host] = self._pool.submit(_look_up, host)
        try:
            return future.result(timeout=max(wait, 0))
        except TimeoutError:
            raise ConnectionFailed(f"Could not resolve host {host} in time.") from None
        finally:
            if future.done():
                self._running.pop(host, None)


def _look_up(host: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConnectionFailed(f"Could not resolve host {host}.") from None
    # A zone ("fe80::1%2") is dropped: such addresses are refused with or without it.
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
