"""Opens connections: look up, check, connect to just the address that was checked."""

import socket

from webhooks.errors import ConnectionFailed, TargetRefused
from webhooks.outbound.address_rules import Address, AddressRules
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.forward_proxy import Proxy
from webhooks.outbound.resolver import Resolver


class Connector:
    """One a process. Threads may share it."""

    def __init__(
        self, rules: AddressRules, proxy: Proxy | None = None, resolver: Resolver | None = None
    ) -> None:
        self._rules = rules
        self.proxy = proxy
        self._resolver = resolver or Resolver()

    def connect(
        self, host: str, port: int, deadline: Deadline, *, tunnel: bool
    ) -> tuple[socket.socket, Address]:
        """A connection to ``host``, and the address that was checked.

        Where there is a proxy, the connection is to it: through it with ``tunnel``, else for requests to it.

        Raises:
            TargetRefused: the rules forbid its every address. ConnectionFailed, OSError: none answers.
        """
        refusal: TargetRefused | None = None
        failure: OSError | ConnectionFailed | None = None
        addresses = self._resolver.addresses(host, deadline.left_s())
        for failed, address in enumerate(addresses):
            try:
                self._rules.check(address)
                # An address that does not answer leaves time for the next one.
                wait_s = max(deadline.left_s(), 0.001) / (len(addresses) - failed)
                return self._connected(address, port, wait_s, deadline, tunnel), address
            except TargetRefused as error:
                refusal = error
            except (OSError, ConnectionFailed) as error:
                failure = error
        raise failure or refusal or ConnectionFailed(f"Host {host} has no address.")

    def _connected(
        self, address: Address, port: int, wait_s: float, deadline: Deadline, tunnel: bool
    ) -> socket.socket:
        if self.proxy:
            sock = self.proxy.connect(address, port, wait_s, deadline, tunnel=tunnel)
        else:
            sock = _opened(address, port, wait_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def _opened(address: Address, port: int, wait_s: float) -> socket.socket:
    """A connection to an address. ``socket.create_connection`` would look it up like a name."""
    sock = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    try:
        sock.settimeout(wait_s)
        sock.connect((str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock
