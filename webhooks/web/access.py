"""Who may come in. Each view carries a mark; one without fails at its first request.

Forms are guarded against forgery (CSRF) by what the browser itself says of a request's origin, not by tokens
in each form: nothing goes stale in an open tab, and partials can be cached. ``Sec-Fetch-Site`` is only sent
to https and localhost, so ``Origin`` decides elsewhere; every present browser sends it with a POST.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, redirect, request, session, url_for

from webhooks.models import Meta
from webhooks.web.services import services

View = Callable[..., Any]
_MARK: Final = "spoke_access"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def public(view: View) -> View:
    """Anybody may come in."""
    setattr(view, _MARK, "public")
    return view


def by_token(view: View) -> View:
    """The view checks a token itself; no cookie counts."""
    setattr(view, _MARK, "token")
    return view


def admin(view: View) -> View:
    """The logged-in admin alone."""
    setattr(view, _MARK, "admin")
    return view


def init_app(app: Flask) -> None:
    app.before_request(_check)
    app.after_request(_secure)


def _check() -> Any:
    if request.endpoint is None or request.endpoint == "static":
        return None
    mark = getattr(current_app.view_functions[request.endpoint], _MARK, None)
    if mark is None:
        raise RuntimeError(f"the view {request.endpoint} does not say who may come in")
    if mark != "token" and request.method not in _SAFE and not _same_origin():
        abort(403, "The form came from another site.")
    if mark == "admin" and not logged_in():
        return redirect(url_for("login.show", next=request.full_path.rstrip("?")), 303)
    return None


def _same_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    _, slashes, host = request.headers.get("Origin", "").partition("://")
    return bool(slashes) and host in (request.host, urlsplit(services().settings.base_url).netloc)


def session_epoch() -> str:
    """Changes when all sessions are to end."""
    with services().store.read() as reading:
        row = reading.get(Meta, "session_epoch")
        return row.value if row else "0"


def logged_in() -> bool:
    return session.get("user") == "admin" and session.get("epoch") == session_epoch()


def _secure(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cache-Control"] = "no-store"
    return response
