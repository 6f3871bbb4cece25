"""Who may come in. Each view carries a mark; one without fails at its first request.

Forms are guarded against forgery (CSRF) by what the browser itself says of a request's origin, not by tokens
in each form: nothing goes stale in an open tab, and partials can be cached. ``Sec-Fetch-Site`` is only sent
to https and localhost, so ``Origin`` decides elsewhere; every present browser sends it with a POST.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for

from webhooks.audit import by
from webhooks.services.container import services
from webhooks.web.shared.bodies import to_come

View = Callable[..., Any]
_MARK: Final = "spoke_access"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PUBLIC_BYTES: Final = 48 << 10

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
    app.teardown_request(_leave)
    app.after_request(_secure)


def _check() -> Any:
    if request.endpoint is None or request.endpoint == "static":
        return None
    mark = getattr(current_app.view_functions[request.endpoint], _MARK, None)
    if mark is None:
        raise RuntimeError(f"the view {request.endpoint} does not say who may come in")
    # No row has such a name, and PostgreSQL has no such text; a token is only ever looked for by its hash.
    if any("\0" in str(value) for name, value in (request.view_args or {}).items() if name != "token"):
        abort(404)
    if mark != "token" and request.method not in _SAFE and not _same_origin():
        abort(
            403,
            "The form came from another site. Behind a proxy, SPOKE_PUBLIC_URL has to be the address that "
            "browsers show.",
        )
    # Who is nobody yet may send what the server takes in whole; a web thread waits for no more.
    long = to_come() or (request.content_length or 0) > _PUBLIC_BYTES
    if mark == "public" and request.method not in _SAFE and long:
        abort(413, f"The form is longer than {_PUBLIC_BYTES:,} bytes.")
    if mark == "admin" and not logged_in():
        if request.headers.get("HX-Request"):  # a fragment of the log-in page would land inside a page
            return Response(
                "", 401, {"HX-Redirect": url_for("login.show", next=_page_before("HX-Current-URL"))}
            )
        if request.method not in _SAFE:
            return redirect(url_for("login.show", next=_page_before("Referer")), 303)
        return redirect(url_for("login.show", next=request.full_path.rstrip("?")), 303)
    if mark != "token":
        g.acting = ExitStack()
        g.acting.enter_context(by(f"admin, from {request.remote_addr}"))
    return None


def _page_before(header: str) -> str | None:
    """The page that the browser shows, to come back to after the log-in; of ours alone."""
    site, _, path = request.headers.get(header, "").partition("://")[2].partition("/")
    prefix = request.script_root.lstrip("/")
    return f"/{path.removeprefix(prefix).lstrip('/')}" if site == request.host else None


def _leave(_error: BaseException | None) -> None:
    if "acting" in g:
        g.acting.close()


def _same_origin() -> bool:
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


def session_epoch() -> str:
    """What a session has to carry to go on."""
    return services().password.epoch(str(current_app.secret_key))


def logged_in() -> bool:
    if "id" not in session or session.get("epoch") != session_epoch():
        return False
    return services().sessions.known(session["id"])


def _secure(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cache-Control"] = "no-store"
    return response
