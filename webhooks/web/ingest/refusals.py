"""Notes what the doors of phone systems refuse: reason, caller, and the beginning of what was sent."""

import re
from typing import Final
from urllib.parse import quote, unquote

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from webhooks.catalogue import HIDDEN
from webhooks.cleaning import clean, clean_lines
from webhooks.db.models.refusals import NO_LOCATION
from webhooks.services.container import services
from webhooks.services.refusals import Refused
from webhooks.tokens import token_hash
from webhooks.web.ingest.tokens import given_tokens
from webhooks.web.shared.access import is_by_key, is_by_token
from webhooks.web.shared.bodies import beginning

_KEPT_CHARACTERS: Final = 500  # of a reason
_TOKEN: Final = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])", re.ASCII)  # what a token of ours looks like
_TOKEN_IN_PATH: Final = re.compile(r"/t/[^/?]+")
_SECRET_LENGTH: Final = 8  # characters; what is shorter is no token, and would hide words
_PASSED_ON: Final = frozenset({500, 502, 503, 504})  # not refused: to be sent again


def init_app(app: Flask) -> None:
    """Note refusals after each request."""
    app.after_request(_after)


def _after(response: Response) -> Response:
    status = response.status_code
    if status >= 400 and status not in _PASSED_ON:
        tokens = given_tokens((request.view_args or {}).get("token") or _path_token())
        location_id = _location_id(tokens)
        # What is no door concerns a location that sent its token there; else it is anybody's mistake.
        no_door = isinstance(request.routing_exception, HTTPException) or is_by_key()
        if is_by_token() or (no_door and location_id):
            services().refusals.note(_refused(response, tokens, location_id))
    return response


def _path_token() -> str | None:
    found = _TOKEN_IN_PATH.search(request.path)
    return unquote(found[0].removeprefix("/t/")) if found else None


def _location_id(tokens: list[str]) -> int:
    known = services().intake.known_location
    return next((found for token in tokens if (found := known(token_hash(token)))), NO_LOCATION)


def _refused(response: Response, tokens: list[str], location_id: int) -> Refused:
    start = request.query_string if request.method == "GET" else beginning()
    detail = (response.get_json(silent=True) or {}).get("detail") if response.is_json else None
    return Refused(
        location_id,
        with_token=bool(tokens),
        door=clean(f"{request.method} {_without_tokens(_TOKEN_IN_PATH.sub('/t/…', request.path), tokens)}")[
            :200
        ],
        http_status=response.status_code,
        reason=clean(_without_tokens(str(detail or response.status), tokens))[:_KEPT_CHARACTERS],
        caller=clean(_caller())[:200],
        body=_without_tokens(clean_lines(start.decode("utf-8", "replace")), tokens),
        size=request.content_length or len(start),
    )


def _caller() -> str:
    program = request.user_agent.string[:120]
    return f"{request.remote_addr or 'unknown'}{f', {program}' if program else ''}"


def _without_tokens(text: str, tokens: list[str]) -> str:
    for token in (token for token in tokens if len(token) >= _SECRET_LENGTH):
        for spelling in {token, quote(token, safe="")}:
            text = text.replace(spelling, HIDDEN)
    return _TOKEN.sub(HIDDEN, text)
