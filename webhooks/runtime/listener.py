"""The socket that callers connect to: made by the supervisor, shared by the web processes."""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from typing import Final

from webhooks.errors import StartError
from webhooks.settings import Settings

_BACKLOG: Final = 2048
_FREED_SECONDS: Final = 2.0  # in which the processes of an appliance that was killed just now have ended


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Listen at SPOKE_HOST and SPOKE_PORT.

    Raises:
        StartError: another program listens there, or this machine has no such address.
    """
    host = "" if settings.host == "*" else settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            _bind(listener, (host, settings.port))
        except socket.gaierror:
            raise StartError(
                f"SPOKE_HOST={settings.host} is no address of this machine: set one of its own, or "
                "0.0.0.0 for all."
            ) from None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise StartError(
                f"SPOKE_PORT={settings.port} on SPOKE_HOST={settings.host} cannot be used: {reason}. "
                "Choose another port or address, or stop what uses it."
            ) from None
        yield listener


def _bind(listener: socket.socket, address: tuple[str, int]) -> None:
    until = time.monotonic() + _FREED_SECONDS
    while True:
        try:
            listener.bind(address)
            return listener.listen(_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise
        time.sleep(0.05)
