"""X-Forwarded-For, -Proto, -Host and -Prefix, believed only from SPOKE_TRUSTED_PROXIES."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from webhooks.settings import Settings

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def init_app(app: Flask, settings: Settings) -> None:
    if settings.trusted_proxies:
        app.wsgi_app = _Trusting(app.wsgi_app, settings)  # type: ignore[method-assign]


class _Trusting:
    def __init__(self, plain: Wsgi, settings: Settings) -> None:
        self._plain = plain
        self._behind = ProxyFix(plain, x_for=1, x_proto=1, x_host=1, x_prefix=1)
        self._networks = settings.trusted_proxies

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            peer = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:
            trusted = False
        else:
            peer = getattr(peer, "ipv4_mapped", None) or peer
            trusted = any(peer in network for network in self._networks)
        return (self._behind if trusted else self._plain)(environ, start_response)
