"""Rows of the delivery log, as their template prints them.

Made here, not by macros: the log has fifty of them, and every open page asks for them again and again.
"""

import functools
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from flask import current_app, url_for
from markupsafe import Markup

from webhooks.catalogue import label
from webhooks.db.models import Delivery
from webhooks.services.delivery_log import Page
from webhooks.services.delivery_state import Facts, State
from webhooks.web.ui.filters import fields, party, span, standing


class Row(NamedTuple):
    """A delivery. ``sender`` and ``receiver`` are the call's; ``mark`` is how it stands, with its icon.

    ``last`` tells of the last attempt, ``why`` the reason of what is not as it should be; both may be empty.
    ``told``: the one says the other.
    """

    delivery: Delivery
    url: str
    label: str
    sender: str
    receiver: str
    webhook_url: str
    mark: Markup
    until: datetime | None
    is_due: bool
    last: str
    why: str
    told: bool


def log_rows(page: Page) -> Iterator[Row]:
    """Make the rows of a page of the log."""
    first = url_for("deliveries.show", delivery_id=0).removesuffix("0")
    webhook_url = functools.cache(lambda webhook_id: url_for("webhooks.show", webhook_id=webhook_id))
    for delivery in page.rows:
        facts = page.facts[delivery.id]
        now, event = standing(facts), fields(delivery.event.body)
        yield Row(
            delivery=delivery,
            url=f"{first}{delivery.id}",
            label=", ".join(label(word) for word in (delivery.type, delivery.subtype) if word),
            sender=party(event, "from"),
            receiver=party(event, "to"),
            webhook_url=webhook_url(delivery.webhook_id),
            mark=state_mark(now.name, now.word),
            until=now.until,
            is_due=now.name == "retrying" and now.until is None,
            last=_last(facts),
            why=_why(facts, now),
            told=facts.error == f"The receiver answered {facts.http_status}.",
        )


@functools.lru_cache(maxsize=256)
def state_mark(name: str, word: str) -> Markup:
    """The macro ``state``, whose outcome is the same for the same words."""
    macros = current_app.jinja_env.get_template("_macros.html").module
    return Markup(macros.state(name, word))  # type: ignore[attr-defined]  # its macros


def _last(facts: Facts) -> str:
    if facts.took_ms is None:
        return ""
    answer = f"{facts.http_status or 'No answer'} in {span(facts.took_ms)}"
    return f"{answer}, {facts.attempts} attempts" if facts.attempts > 1 else answer


def _why(facts: Facts, now: State) -> str:
    if facts.error:
        return facts.error
    return now.sentence if now.name in ("waiting", "held", "dropped", "expired") else ""
