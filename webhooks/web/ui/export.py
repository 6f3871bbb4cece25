"""The delivery log as CSV, for a spreadsheet: what the page's filter shows, in the page's order."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from flask import Blueprint, Response, stream_with_context

from webhooks.db.models import Delivery
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.delivery_state import Facts
from webhooks.web.shared import slots
from webhooks.web.shared.access import admin
from webhooks.web.ui.filters import fields, in_zone, standing
from webhooks.web.ui.page import parse_query

blueprint = Blueprint("export", __name__)
MOST: Final = 100_000  # rows
_COLUMNS: Final = (
    "delivery", "accepted", "location", "webhook", "type", "status", "call", "from", "from_name", "to",
    "to_name", "state", "reason", "attempts", "last_status", "last_error", "phase", "explanation",
)  # fmt: skip
_FORMULA: Final = frozenset("=+-@\t\r\n")
_NUMBER: Final = re.compile(r"\+?[0-9]+")


@blueprint.get("/deliveries.csv")
@admin
def deliveries() -> Response:
    """Send the newest ``MOST`` that the filter finds, as they are read.

    No read of the database lasts longer than a batch, however slowly the caller takes the lines.

    Raises:
        Invalid: the filter is wrong.
        NoCapacity: too many are exported at once.
    """
    wanted = parse_query(DeliveryFilter)
    headers = {"Content-Disposition": 'attachment; filename="deliveries.csv"', "Cache-Control": "no-store"}
    slot = ExitStack()
    slot.enter_context(slots.exports.take())
    slots.stream()
    lines = stream_with_context(_lines(wanted))
    answer = Response(lines, headers=headers, content_type="text/csv; charset=utf-8")
    answer.call_on_close(slot.close)
    return answer


def _lines(wanted: DeliveryFilter) -> Iterator[str]:
    yield "\ufeff" + _csv([_COLUMNS])  # the mark by which spreadsheets know UTF-8
    for page in services().delivery_log.pages(wanted, MOST):
        yield _csv(_row(delivery, page.facts[delivery.id]) for delivery in page.rows)


def _row(delivery: Delivery, facts: Facts) -> tuple[Any, ...]:
    event, state = fields(delivery.event.body), standing(facts)
    return (
        delivery.id, in_zone(delivery.created_at).isoformat(timespec="seconds"),
        delivery.webhook.location.name, delivery.webhook_id, delivery.type, delivery.subtype,
        event.get("thread_id"), event.get("from"), event.get("from_name"), event.get("to"),
        event.get("to_name"), delivery.state, delivery.reason, delivery.attempts,
        facts.http_status, facts.error, state.name, state.sentence,
    )  # fmt: skip


def _csv(rows: Iterable[tuple[Any, ...]]) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows(
        [_harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return lines.getvalue()


def _harmless(text: str) -> str:
    """Not a formula: spreadsheets would run what a caller put into his name. A number stays a number."""
    first = unicodedata.normalize("NFKC", text[:1])  # spreadsheets take a full-width sign for the plain one
    return f"'{text}" if first in _FORMULA and not _NUMBER.fullmatch(text) else text
