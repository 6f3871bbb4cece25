"""Protection of forms against forgery (CSRF), by what the browser itself says of a request's origin.

No token stands in a form: nothing goes stale in an open tab, and partials can be cached. ``Sec-Fetch-Site``
is only sent to https and localhost, so ``Origin`` decides elsewhere; every present browser sends it with a
POST.
"""

from flask import request

from webhooks.services.container import services


def same_origin() -> bool:
    """Whether the request comes from a page of this site."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    own = (f"{request.scheme}://{request.host}", services().settings.base_url)
    return _origin(request.headers.get("Origin", "")) in map(_origin, own)


def _origin(address: str) -> str | None:
    """Scheme and host as a browser writes them, without the scheme's own port."""
    scheme, slashes, rest = address.lower().partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{rest.partition('/')[0].removesuffix(port)}" if slashes else None
