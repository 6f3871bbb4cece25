"""An operation of the API: what it takes and answers is said once, for the reading and for the document."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, request
from pydantic import BaseModel
from werkzeug.exceptions import PreconditionFailed, UnsupportedMediaType

from webhooks.errors import Invalid
from webhooks.events.strict_json import read_object, unsendable
from webhooks.services.container import services
from webhooks.services.parsing import Model, parse, parse_json
from webhooks.web.shared.access import by_key
from webhooks.web.shared.bodies import read_body, refuse_coded

BODY_BYTES: Final = 256 << 10
WITH_ETAG: Final = ("GET", "HEAD", "PATCH")  # an answer to POST has a secret, or is of no row
_ATTRIBUTE: Final = "spoke_operation"  # of a view function
View = Callable[..., Any]
Shape = Any  # a model, ``list[model]``, ``Events``, or None where there is no body


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """``answers`` are the good ones by status, the usual one first; ``errors`` are statuses of its own."""

    answers: Mapping[int, Shape]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    conditional: bool = False
    errors: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list: its items, models or JSON texts. ``older`` is the cursor to go on with, None at the
    end."""

    items: Sequence[BaseModel | str]
    older: int | None


def operation(**described: Any) -> Callable[[View], View]:
    """Make a function a view. It gets ``wanted``, the query, and ``given``, the body; it returns what is
    shown, or that with a status, or a response."""
    about = Operation(**described)

    def make(view: View) -> View:
        @functools.wraps(view)
        def run(**arguments: Any) -> Response:
            if about.query:
                arguments["wanted"] = _read_query(about.query)
            if about.body:
                arguments["given"] = _read_body(about.body, optional=about.body_optional)
            made = view(**arguments)
            shown, status = made if isinstance(made, tuple) else (made, next(iter(about.answers)))
            return _respond(shown, status)

        setattr(run, _ATTRIBUTE, about)
        return by_key(run)

    return make


def operation_of(view: View) -> Operation | None:
    """Return what a view says of itself; None where it is no operation."""
    about: Operation | None = getattr(view, _ATTRIBUTE, None)
    return about


def check_unchanged(shown: BaseModel) -> bool:
    """Whether ``If-Match`` was given. Raises PreconditionFailed where it names another state than this.

    One that is empty or is no ETag names none: who sent it did not mean to overwrite whatever is there.
    """
    if "If-Match" not in request.headers:
        return False
    etag, _ = _json(_text(shown), 200).get_etag()
    if etag is None or not request.if_match.contains(etag):
        raise changed_meanwhile()
    return True


def changed_meanwhile() -> PreconditionFailed:
    """Make the error of a row that is not as it was read."""
    return PreconditionFailed("It was changed since it was read: read it again. Nothing was overwritten.")


def _read_query(model: type[Model]) -> Model:
    values = request.args.to_dict(flat=False)
    for name, texts in values.items():
        if len(texts) > 1:
            raise Invalid(f"“{name}” is given twice.", name)
        if fault := unsendable(texts[0]):
            raise Invalid(f"“{name}” {fault}.", name)
    return parse(model, {name: texts[0] for name, texts in values.items()})


def _read_body(model: type[Model], *, optional: bool) -> Model:
    body = read_body(min(services().settings.max_body, BODY_BYTES))
    refuse_coded()
    if optional and not body:
        return parse_json(model, {})
    kind = request.mimetype
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(f"Content-Type {kind or 'missing'}: send application/json.")
    return parse_json(model, read_object(body))


def _respond(shown: Any, status: int) -> Response:
    if shown is None:
        return Response(status=status)
    if isinstance(shown, Listed):
        items = ",".join(item if isinstance(item, str) else _text(item) for item in shown.items)
        response = _json(f"[{items}]", status)
        if shown.older is not None:
            query = urlencode({**request.args.to_dict(), "before": shown.older})
            address = f"{services().settings.base_url}{request.path}?{query}"
            response.headers["Link"] = f'<{address}>; rel="next"'
    else:
        response = _json(_text(shown), status)
    # Secrets are among the answers to POST, and what others may not see among all.
    response.headers["Cache-Control"] = "private, no-cache" if request.method == "GET" else "no-store"
    response.headers["Vary"] = "Authorization"
    if status == 200 and request.method in ("GET", "HEAD") and _is_known(response):
        response.status_code = 304
    return response


def _is_known(response: Response) -> bool:
    """Whether the caller has this already. Not werkzeug's own way: that answers ``If-Match`` with 412."""
    etag, _ = response.get_etag()
    return etag is not None and request.if_none_match.contains_weak(etag)


def _json(text: str, status: int) -> Response:
    response = Response(text, status, content_type="application/json")
    if request.method in WITH_ETAG:
        response.add_etag()
    return response


def _text(shown: BaseModel) -> str:
    return json.dumps(shown.model_dump(mode="json", by_alias=True), ensure_ascii=False, separators=(",", ":"))
