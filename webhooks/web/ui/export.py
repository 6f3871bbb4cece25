"""The delivery log as CSV, for a spreadsheet: what the page's filter shows, in the page's order."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from flask import Blueprint, Response, stream_with_context

from webhooks.db.models import Attempt, Delivery
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.delivery_state import State
from webhooks.web.shared.access import admin
from webhooks.web.ui.filters import fields, in_zone, standing
from webhooks.web.ui.page import parse_query

blueprint = Blueprint("export", __name__)
MOST: Final = 5_000  # rows
_COLUMNS: Final = (
    "delivery", "accepted", "location", "webhook", "type", "status", "call", "from", "from_name", "to",
    "to_name", "state", "reason", "attempts", "last_status", "last_error", "phase", "explanation",
)  # fmt: skip
_FORMULA: Final = frozenset("=+-@\t\r\n")
_NUMBER: Final = re.compile(r"\+?[0-9]+")


@blueprint.get("/deliveries.csv")
@admin
def deliveries() -> Response:
    """At most the newest 5,000 that the filter finds; raises Invalid where the filter is wrong."""
    headers = {"Content-Disposition": 'attachment; filename="deliveries.csv"', "Cache-Control": "no-store"}
    lines = stream_with_context(_lines(parse_query(DeliveryFilter)))
    return Response(lines, headers=headers, content_type="text/csv; charset=utf-8")


def _lines(wanted: DeliveryFilter) -> Iterator[str]:
    yield "\ufeff" + _line(_COLUMNS)  # the mark by which spreadsheets know UTF-8
    for page in services().delivery_log.pages(wanted, MOST):
        yield "".join(
            _line(_row(delivery, page.last.get(delivery.id), standing(page.facts[delivery.id])))
            for delivery in page.rows
        )


def _row(delivery: Delivery, last: Attempt | None, state: State) -> tuple[Any, ...]:
    event = fields(delivery.event.body)
    return (
        delivery.id, in_zone(delivery.created_at).isoformat(timespec="seconds"),
        delivery.webhook.location.name, delivery.webhook_id, delivery.type, delivery.subtype,
        event.get("thread_id"), event.get("from"), event.get("from_name"), event.get("to"),
        event.get("to_name"), delivery.state, delivery.reason, delivery.attempts,
        last.http_status if last else None, last.error if last else None, state.name, state.sentence,
    )  # fmt: skip


def _line(cells: tuple[Any, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless("" if cell is None else str(cell)) for cell in cells])
    return line.getvalue()


def _harmless(text: str) -> str:
    """Not a formula: spreadsheets would run what a caller put into his name. A number stays a number."""
    first = unicodedata.normalize("NFKC", text[:1])  # spreadsheets take a full-width sign for the plain one
    return f"'{text}" if first in _FORMULA and not _NUMBER.fullmatch(text) else text
