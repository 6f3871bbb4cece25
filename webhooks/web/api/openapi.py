"""The OpenAPI 3.1 document, made of the operations and of the models that they read and answer with.

No library does it: spectree describes every answer as application/json and without headers, and its pages
come from another host; flask-openapi3 wants to be the Flask application itself; apiflask brings marshmallow
and writes 3.0. pydantic already writes JSON Schema 2020-12, which is that of OpenAPI 3.1.
"""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, get_args, get_origin

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from webhooks.settings import VERSION
from webhooks.web.api.events import Events
from webhooks.web.api.hook_document import HOOK_PATHS, HOOK_SCHEMAS
from webhooks.web.api.links import add_links
from webhooks.web.api.operations import WITH_ETAG, Operation, Shape, operation_of
from webhooks.web.api.shapes import LARGEST_ID

_REF: Final = "#/components/schemas/{model}"
_ALWAYS: Final = (401, 403, 429, 503)
_READING: Final = ("GET",)
_TEXT: Final = {"type": "string"}
_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"schema": _TEXT}},
    429: {"Retry-After": {"description": "Whole seconds.", "schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"description": "Whole seconds.", "schema": {"type": "integer", "minimum": 0}}},
}
_PROBLEM: Final = {
    "type": "object",
    "description": "A problem document (RFC 9457). `errors` are the fields at fault, by JSON pointer.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object", "required": ["pointer", "detail"],
                "properties": {"pointer": _TEXT, "detail": _TEXT},
            },
        },
    },
}  # fmt: skip
_SchemaOf = Mapping[Any, dict[str, Any]]  # by model and mode


def describe(app: Flask, base_url: str) -> dict[str, Any]:
    """Make the document of all operations, the hook included."""
    operations = [*_operations(app)]
    of_model, schemas = models_json_schema([*_models(operations)], ref_template=_REF)
    paths: dict[str, Any] = {path: dict(item) for path, item in HOOK_PATHS.items()}
    for rule, method, about in operations:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        view = app.view_functions[rule.endpoint]
        paths.setdefault(path, {})[method.lower()] = _described(
            rule, method, about, view.__doc__ or "", of_model
        )
    add_links(paths, schemas["$defs"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Spoke Webhooks", "version": VERSION},
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "location": {"type": "http", "scheme": "bearer", "description": "A location's token."},
            },
            "schemas": {"Problem": _PROBLEM, **HOOK_SCHEMAS, **schemas["$defs"]},
        },
    }


def _operations(app: Flask) -> Iterator[tuple[Rule, str, Operation]]:
    for rule in app.url_map.iter_rules():
        about = operation_of(app.view_functions[rule.endpoint])
        if about:
            yield from ((rule, method, about) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"})


def _models(
    operations: list[tuple[Rule, str, Operation]],
) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for _, _, about in operations:
        if about.body:
            yield about.body, "validation"
        for shape in about.answers.values():
            model = get_args(shape)[0] if _is_list(shape) else shape
            if model not in (None, Events):
                yield model, "serialization"


def _described(
    rule: Rule, method: str, about: Operation, docstring: str, of_model: _SchemaOf
) -> dict[str, Any]:
    noun = rule.endpoint.partition(".")[0].removeprefix("api_")
    reads = method in _READING
    answers = {
        str(status): _answer(shape, of_model, has_etag=method in WITH_ETAG)
        for status, shape in about.answers.items()
    }
    if reads:
        answers["304"] = {"description": "Not changed since the ETag in If-None-Match."}
    errors = {*_ALWAYS, *about.errors, *((422,) if about.query else ())}
    described: dict[str, Any] = {
        "operationId": f"{noun}_{rule.endpoint.partition('.')[2]}",
        "tags": [noun],
        "summary": " ".join(docstring.split()),
        "parameters": [*_ids(rule), *_queries(about), *_conditions(method, about)],
    }
    if about.body:
        errors |= {400, 408, 413, 415, 422}
        content = {"application/json": {"schema": of_model[about.body, "validation"]}}
        described["requestBody"] = {"required": not about.body_optional, "content": content}
    answers |= {str(status): problem_answer(status) for status in sorted(errors)}
    return {**described, "responses": answers}


def problem_answer(status: int) -> dict[str, Any]:
    """Describe an answer that is a problem document."""
    schema = {"$ref": _REF.format(model="Problem")}
    answer = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }
    return answer | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _is_list(shape: Shape) -> bool:
    origin: Any = get_origin(shape)
    return origin is list


def _answer(shape: Shape, of_model: _SchemaOf, *, has_etag: bool) -> dict[str, Any]:
    if shape is None:
        return {"description": "Done."}
    headers: dict[str, Any] = {"ETag": {"schema": _TEXT}} if has_etag else {}
    if shape is Events or _is_list(shape):
        link = 'The next page, where there is one: `<…>; rel="next"` (RFC 8288).'
        headers["Link"] = {"description": link, "schema": _TEXT}
        item = (
            {"$ref": _REF.format(model="Event")}
            if shape is Events
            else of_model[get_args(shape)[0], "serialization"]
        )
        schema: dict[str, Any] = {"type": "array", "items": item}
        description = "A list, newest first."
    else:
        schema = of_model[shape, "serialization"]
        description = " ".join((shape.__doc__ or "").replace("``", "`").split())
    return {
        "description": description,
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _ids(rule: Rule) -> Iterator[dict[str, Any]]:
    schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_ID}
    for name in sorted(rule.arguments):
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _queries(about: Operation) -> Iterator[dict[str, Any]]:
    if about.query:
        for name, schema in about.query.model_json_schema()["properties"].items():
            kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
            if schema.get("default", ...) is None:
                del schema["default"]
            description = schema.pop("description", schema.pop("title", name))
            yield {
                "name": name, "in": "query", "description": description,
                "schema": {**schema, **(kinds[0] if kinds else {})},
            }  # fmt: skip


def _conditions(method: str, about: Operation) -> Iterator[dict[str, Any]]:
    if method in _READING:
        yield {
            "name": "If-None-Match", "in": "header", "schema": _TEXT,
            "description": "An ETag. 304 is sent while it still holds.",
        }  # fmt: skip
    if about.conditional:
        yield {
            "name": "If-Match", "in": "header", "schema": _TEXT,
            "description": "An ETag. 412 is sent once it no longer holds.",
        }  # fmt: skip
