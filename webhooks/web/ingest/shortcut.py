"""A shortcut past Flask for events that come in their plain form, as nearly all do.

Plain is a short JSON body that is there whole, and a location's token in the Authorization header or in the
path. Flask's part of such a request takes longer than storing the event. Everything else goes to the view in
``web/ingest/events.py``, and so does each request that is refused: what it is answered is said in one place.
"""

import io
import re
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from flask import Flask

from webhooks.events.intake import Intake
from webhooks.events.schema import parse_json
from webhooks.outbound.user_agent import USER_AGENT_PREFIX
from webhooks.services.container import services
from webhooks.tokens import token_hash
from webhooks.web.ingest.answers import status_and_body

FAILURE: Final = "spoke.failure"  # in the environment: why events that were handed in were not stored

_PATH: Final = re.compile(r"/api/events(?:/t/([\w-]{43}))?", re.ASCII)
_BEARER: Final = re.compile(r"Bearer ([\w-]{43})", re.ASCII)
_HOST: Final = re.compile(r"[\w.:\[\]-]+", re.ASCII)
_STATUS: Final = {status: f"{status} {HTTPStatus(status).phrase.upper()}" for status in (200, 202)}

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """Put the shortcut in front of the application."""
    with app.app_context():
        intake, most = services().intake, services().settings.max_body
    app.wsgi_app = Shortcut(app.wsgi_app, intake, most)  # type: ignore[method-assign]


class Shortcut:
    """WSGI: takes plain events, passes everything else on. ``most`` is the longest body, in bytes."""

    def __init__(self, flask: Wsgi, intake: Intake, most: int) -> None:
        self._flask, self._intake, self._most = flask, intake, most
        # One thread at a time computes: several would take Python's lock from each other at every turn.
        self._turn = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        token = _token(environ)
        length = int(environ.get("CONTENT_LENGTH") or 0) if token else 0
        if token is None or not 0 < length <= self._most:
            return self._flask(environ, start_response)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)  # for Flask, should it have to answer
        hashed = token_hash(token)
        try:
            namespace = self._intake.namespace(hashed)
            with self._turn:
                events, batch = parse_json(body, namespace)
        except Exception:  # it comes again there, where its answer is made
            return self._flask(environ, start_response)
        try:
            accepted = self._intake.submit(hashed, events)
        except Exception as error:
            environ[FAILURE] = error
            return self._flask(environ, start_response)
        status, answer = status_and_body(accepted, batch)
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(answer))),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response(_STATUS[status], headers)
        return [answer]


def _token(environ: Environ) -> str | None:
    """Return the token of a request that is plain, else None."""
    path = _PATH.fullmatch(environ["PATH_INFO"])
    if path is None or environ["REQUEST_METHOD"] != "POST" or environ.get("QUERY_STRING"):
        return None
    if environ.get("spoke.body_to_come", True) or "HTTP_CONTENT_ENCODING" in environ:
        return None
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        return None
    if environ.get("HTTP_USER_AGENT", "").startswith(USER_AGENT_PREFIX):
        return None
    if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
        return None
    authorization = environ.get("HTTP_AUTHORIZATION")
    if authorization is None:
        return path[1]
    header = _BEARER.fullmatch(authorization)
    return header[1] if header and not path[1] else None
