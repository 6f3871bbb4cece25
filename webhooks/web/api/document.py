"""``/api/openapi.json`` and ``/api/docs``: what the API can do, for programs and for people."""

import functools
from typing import Any, Final

from flask import Blueprint, Flask, current_app, jsonify, render_template

from webhooks.services.container import services
from webhooks.web.api.openapi import describe
from webhooks.web.shared.access import public

blueprint = Blueprint("api_document", __name__, url_prefix="/api")
_REFS: Final = "#/components/schemas/"


@blueprint.get("/openapi.json")
@public
def openapi() -> Any:
    return jsonify(_document())


@blueprint.get("/docs")
@public
def docs() -> Any:
    document = _document()
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, item in document["paths"].items():
        for method, about in item.items():
            groups.setdefault(about["tags"][0], []).append((method.upper(), path, about))
    return render_template(
        "api/docs.html", groups=groups, schemas=document["components"]["schemas"], kind_of=kind_of, bare=True
    )


def kind_of(schema: dict[str, Any]) -> str:
    """Say in a few words what a JSON schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_REFS))
    if "anyOf" in schema:
        return " or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join("null" if word is None else str(word) for word in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    named = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{named} ({schema['format']})" if "format" in schema else named


def _document() -> dict[str, Any]:
    return _made(current_app._get_current_object(), services().settings.base_url)  # type: ignore[attr-defined]


@functools.cache
def _made(app: Flask, base_url: str) -> dict[str, Any]:
    """The document, made once in a process: nothing in it changes."""
    return describe(app, base_url)
