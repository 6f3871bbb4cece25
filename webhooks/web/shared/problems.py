"""Errors as responses: problem documents (RFC 9457) for machines, a page for people. Mapped here alone."""

from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, json, render_template, request
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError, MethodNotAllowed
from werkzeug.exceptions import NotFound as PageNotFound

from webhooks.errors import (
    Coded,
    Conflict,
    DiskFull,
    FetchFailed,
    Invalid,
    InvalidEvent,
    LinkExpired,
    LinkForbidden,
    LocationPaused,
    NoAudio,
    NotFound,
    SpokeError,
    TooLarge,
    TooMany,
    TooSlow,
    Unauthorised,
    Unavailable,
    Unreadable,
    Unsupported,
    ZohoFailed,
    ZohoRefused,
    ZohoTooMany,
)

_STATUS: dict[type[SpokeError], int] = {
    Unreadable: 400,
    Unauthorised: 401,
    LocationPaused: 403,
    LinkForbidden: 403,
    NotFound: 404,
    TooSlow: 408,
    Conflict: 409,
    LinkExpired: 410,
    TooLarge: 413,
    Unsupported: 415,
    InvalidEvent: 422,
    NoAudio: 422,
    Invalid: 422,
    TooMany: 429,
    FetchFailed: 502,
    ZohoFailed: 502,
    ZohoRefused: 502,
    ZohoTooMany: 503,
    Unavailable: 503,
    DiskFull: 507,
}

# What a page says on top; a program gets the phrase of the HTTP status.
_TITLES: Final[dict[int, str]] = {
    403: "Not allowed",
    404: "Not found",
    405: "This address shows no page",
    409: "That cannot be done now",
    413: "Too much at once",
    422: "Something in that was wrong",
    429: "Too many tries",
    500: "Something went wrong here",
    503: "Not available right now",
    507: "The disk is full",
}


def init_app(app: Flask) -> None:
    app.register_error_handler(SpokeError, _domain_error)
    app.register_error_handler(HTTPException, _http_error)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem document. ``more`` are members of our own, such as ``errors``."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def _domain_error(error: SpokeError) -> Response:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = 'Bearer realm="spoke"'
    if isinstance(error, Coded):
        headers["Accept-Encoding"] = "identity"
    if isinstance(error, Unavailable | TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, InvalidEvent):
        more["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.errors]
    if isinstance(error, Invalid) and error.pointer:
        more["errors"] = [{"pointer": error.pointer, "detail": str(error)}]
    return problem(status, str(error), headers, **more) if _machine() else _page(status, str(error), headers)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    detail = error.description or HTTPStatus(status).phrase
    if isinstance(error, InternalServerError):
        detail = "An error of ours. Try again; if it stays, the appliance's log says what happened."
    if isinstance(error, PageNotFound) and detail == PageNotFound.description:
        what = "is nothing" if _machine() else "is no page"
        detail = f"There {what} at this address. It may have been deleted, or the address is misspelt."
    if isinstance(error, MethodNotAllowed):
        methods = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"}, key="POST".__ne__)
        detail = f"{request.method} is not taken here: use {' or '.join(methods)}."
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return problem(status, detail, headers) if _machine() else _page(status, detail, headers)


def _machine() -> bool:
    """Whether to answer without a page: to a program, or where Host cannot stand in a page's links."""
    if isinstance(request.routing_exception, BadRequest):
        return True
    return request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", "")


def _page(status: int, detail: str, headers: dict[str, str]) -> Response:
    title = _TITLES.get(status, "This did not work")
    page = render_template("error.html", status=status, title=title, detail=detail)
    return Response(page, status, headers, content_type="text/html; charset=utf-8")
