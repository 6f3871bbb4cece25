"""Host names to addresses, with a limit on the wait."""

import concurrent.futures
import ipaddress
import socket
from typing import Final

from webhooks.errors import ConnectionFailed
from webhooks.outbound.address_rules import Address, literal

_LOOKUP_THREADS: Final = 256  # more than attempts can be under way: a dead resolver keeps nobody waiting


class Resolver:
    """Looks names up in a pool of its own, because getaddrinfo cannot be interrupted.

    Who asks for a name that is being looked up waits for that answer: a dead resolver costs a thread a name.
    """

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(_LOOKUP_THREADS, "lookup")
        self._running: dict[str, concurrent.futures.Future[list[Address]]] = {}

    def addresses(self, host: str, wait_s: float) -> list[Address]:
        """All addresses of a name, in the system's order.

        Raises:
            ConnectionFailed: no such name, or no answer within ``wait_s``.
        """
        spelled = literal(host)
        if spelled is not None:
            return [spelled]
        future = self._running.get(host)
        if future is None or future.done():
            future = self._running[host] = self._pool.submit(_look_up, host)
        try:
            return future.result(timeout=max(wait_s, 0))
        except TimeoutError:
            raise ConnectionFailed(f"Could not resolve host {host} in time.") from None
        finally:
            if future.done():
                self._running.pop(host, None)


def _look_up(host: str) -> list[Address]:
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConnectionFailed(f"Could not resolve host {host}.") from None
    # A zone ("fe80::1%2") is dropped: such addresses are refused with or without it.
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
