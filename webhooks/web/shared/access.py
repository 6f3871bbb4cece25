"""Who may use an endpoint. Each view says so with a mark; one without fails at its first request.

The checks run before each request, in the order of ``check``. An answer of one ends the request.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, Literal

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for

from webhooks.audit import by
from webhooks.services.container import services
from webhooks.web.shared.bodies import is_streamed
from webhooks.web.shared.csrf import same_origin
from webhooks.web.shared.own_paths import shown_page

View = Callable[..., Any]
Access = Literal["public", "token", "key", "admin"]

_ACCESS: Final = "spoke_access"  # attribute of a view function
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PUBLIC_FORM_BYTES: Final = 48 << 10

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def public(view: View) -> View:
    """Mark a view that everybody may use."""
    setattr(view, _ACCESS, "public")
    return view


def by_token(view: View) -> View:
    """Mark a view that checks a token itself; no cookie counts."""
    setattr(view, _ACCESS, "token")
    return view


def by_key(view: View) -> View:
    """Mark a view whose blueprint checks an API key; no cookie counts."""
    setattr(view, _ACCESS, "key")
    return view


def admin(view: View) -> View:
    """Mark a view that only the logged-in admin may use."""
    setattr(view, _ACCESS, "admin")
    return view


def init_app(app: Flask) -> None:
    """Run the checks before each request, and set the security headers after it."""
    app.before_request(check)
    app.teardown_request(_unbind_actor)
    app.after_request(_set_security_headers)


def _access() -> Access | None:
    """The mark of the view that the request is for; None where no view of ours is."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    mark: Access | None = getattr(current_app.view_functions[request.endpoint], _ACCESS, None)
    return mark


def is_by_token() -> bool:
    """Whether the request is for a view that checks a token itself."""
    return _access() == "token"


def is_by_key() -> bool:
    """Whether the request is for a view that wants an API key."""
    return _access() == "key"


def check() -> Response | Any:
    """Run the checks of the view. They are one, so that its mark is looked up once: events come often.

    Raises:
        RuntimeError: the view does not say who may use it.
    """
    access = _access()
    if access is None and request.endpoint not in (None, "static"):
        raise RuntimeError(f"the view {request.endpoint} does not say who may use it")
    _refuse_nul()
    if access not in ("public", "admin"):
        return None
    _check_origin()
    if access == "public":
        _limit_public_body()
    elif not logged_in():
        return _lead_to_login()
    act_as(f"admin, from {request.remote_addr}")
    return None


def _refuse_nul() -> None:
    """Answer 404 to a name with NUL: no row has such a name, and PostgreSQL has no such text.

    A token may have it: it is only ever looked up by its hash.
    """
    values = request.view_args or {}
    if any("\0" in str(value) for name, value in values.items() if name != "token"):
        abort(404)


def _check_origin() -> None:
    """Answer 403 to a form that another site sent."""
    if request.method not in _SAFE_METHODS and not same_origin():
        abort(
            403,
            "The form came from another site. Behind a proxy, set SPOKE_PUBLIC_URL to the address that "
            "browsers show.",
        )


def _limit_public_body() -> None:
    """Answer 413 to a long form of somebody who is not logged in: it must not keep a thread waiting.

    The server takes a form up to this length in whole before a thread has it.
    """
    long = is_streamed() or (request.content_length or 0) > _PUBLIC_FORM_BYTES
    if request.method not in _SAFE_METHODS and long:
        abort(413, f"The form is longer than {_PUBLIC_FORM_BYTES:,} bytes.")


def _lead_to_login() -> Response | Any:
    """Lead a visitor who is not logged in to the log-in page, and back from there."""
    if request.headers.get("HX-Request"):  # a fragment of the log-in page would land inside a page
        target = url_for("login.show", next=shown_page("HX-Current-URL"))
        return Response("", 401, {"HX-Redirect": target})
    if request.method not in _SAFE_METHODS:
        return redirect(url_for("login.show", next=shown_page()), 303)
    return redirect(url_for("login.show", next=request.full_path.rstrip("?")), 303)


def act_as(actor: str) -> None:
    """Name in the audit log who makes the changes of this request."""
    g.actor = ExitStack()
    g.actor.enter_context(by(actor))


def _unbind_actor(_error: BaseException | None) -> None:
    if "actor" in g:
        g.actor.close()


def session_epoch() -> str:
    """What a session has to carry to go on."""
    return services().password.epoch(str(current_app.secret_key))


def logged_in() -> bool:
    """Whether the request carries a session that goes on."""
    if "id" not in session or session.get("epoch") != session_epoch():
        return False
    return services().sessions.known(session["id"])


def _set_security_headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cache-Control"] = "no-store"
    return response
