"""Links of the OpenAPI document, on a small one."""

from typing import Any

from webhooks.web.api.links import add_links

SCHEMAS = {
    "Shelf": {"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}},
    "Book": {"properties": {"id": {"type": "integer"}, "shelf": {"type": "integer"}}},
    "Lent": {"properties": {"id": {"type": "string"}, "book": {"type": "integer"}}},
}
A_SHELF: dict[str, Any] = {"$ref": "#/components/schemas/Shelf"}
A_BOOK: dict[str, Any] = {"$ref": "#/components/schemas/Book"}
LENT: dict[str, Any] = {"$ref": "#/components/schemas/Lent"}


def operation(tag: str, name: str, status: str, schema: Any = None, *ids: str) -> dict[str, Any]:
    answer = {"content": {"application/json": {"schema": schema}}} if schema else {}
    return {
        "operationId": name, "tags": [tag], "parameters": [{"name": id_, "in": "path"} for id_ in ids],
        "responses": {status: answer, "404": {"content": {"application/json": {"schema": A_BOOK}}}},
    }  # fmt: skip


def document() -> dict[str, Any]:
    return {
        "/shelves": {"get": operation("shelf", "list_shelves", "200", {"type": "array", "items": A_SHELF})},
        "/shelves/{shelf_id}": {
            "get": operation("shelf", "show_shelf", "200", A_SHELF, "shelf_id"),
            "delete": operation("shelf", "burn_shelf", "204", None, "shelf_id"),
        },
        "/books": {"post": operation("book", "add_book", "201", A_BOOK)},
        "/books/{book_id}": {
            "get": operation("book", "show_book", "200", A_BOOK, "book_id"),
            "post": operation("book", "lend_book", "202", LENT, "book_id"),
        },
        "/lent": {"get": operation("lent", "list_lent", "200", {"type": "array", "items": LENT})},
    }


def found() -> dict[str, dict[str, str]]:
    """For each operation: where it leads, and by which value."""
    paths = document()
    add_links(paths, SCHEMAS)
    return {
        one["operationId"]: {
            name: " ".join(f"{id_}={value}" for id_, value in link["parameters"].items())
            for answer in one["responses"].values()
            for name, link in answer.get("links", {}).items()
        }
        for item in paths.values()
        for one in item.values()
    }


def test_an_id_leads_to_all_that_can_be_done_with_its_row() -> None:
    assert found()["list_shelves"] == {
        "show_shelf": "shelf_id=$response.body#/0/id", "burn_shelf": "shelf_id=$response.body#/0/id",
    }  # fmt: skip


def test_the_id_of_another_row_leads_to_what_shows_it() -> None:
    assert found()["add_book"] == {
        "show_book": "book_id=$response.body#/id", "lend_book": "book_id=$response.body#/id",
        "show_shelf": "shelf_id=$response.body#/shelf",
    }  # fmt: skip
    assert found()["list_lent"] == {"show_book": "book_id=$response.body#/0/book"}


def test_an_operation_that_has_the_id_already_does_not_tell_it_again() -> None:
    assert found()["show_book"] == {"show_shelf": "shelf_id=$response.body#/shelf"}
    assert found()["lend_book"] == {} == found()["burn_shelf"]
