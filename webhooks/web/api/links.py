"""Links of the OpenAPI document: which answer has the id with which another operation goes on. Pure.

They follow from the names: a path's ``{webhook_id}`` is the ``id`` that the other operations of webhooks
answer with, and the ``webhook`` of all others.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

_SCHEMAS: Final = "#/components/schemas/"


class _Target(NamedTuple):
    """An operation on the row whose id is ``parameter``. ``shows``: it only shows it."""

    operation: str
    parameter: str
    shows: bool


def add_links(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """Put its links into each answer."""
    targets, own = _targets(paths)
    for item in paths.values():
        for operation in item.values():
            ids = {parameter["name"] for parameter in operation.get("parameters", ()) if _is_id(parameter)}
            for status, answer in operation["responses"].items():
                if not status.startswith("2"):
                    continue
                links = {
                    target.operation: {
                        "operationId": target.operation, "parameters": {target.parameter: expression},
                    }
                    for name, expression in _numbers(answer, schemas)
                    for target in targets[own.get(operation["tags"][0], "") if name == "id" else f"{name}_id"]
                    if target.parameter not in ids and (name == "id" or target.shows)
                }  # fmt: skip
                if links:
                    answer["links"] = links


def _targets(paths: Mapping[str, Any]) -> tuple[Mapping[str, list[_Target]], Mapping[str, str]]:
    """Operations by the id that they want, and that id's name by their tag."""
    targets: defaultdict[str, list[_Target]] = defaultdict(list)
    own: dict[str, str] = {}
    for item in paths.values():
        for method, operation in item.items():
            for parameter in filter(_is_id, operation.get("parameters", ())):
                name = parameter["name"]
                targets[name].append(_Target(operation["operationId"], name, shows=method == "get"))
                own[operation["tags"][0]] = name
    return targets, own


def _is_id(parameter: Mapping[str, Any]) -> bool:
    return bool(parameter["in"] == "path")


def _numbers(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The whole numbers of an answer, or of a list's newest item, and where they stand."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    place = ""
    if schema.get("type") == "array":
        schema, place = schema["items"], "0/"
    shown = schemas.get(schema.get("$ref", "").removeprefix(_SCHEMAS), {})
    for name, property_ in shown.get("properties", {}).items():
        if property_.get("type") == "integer":
            yield name, f"$response.body#/{place}{name}"
