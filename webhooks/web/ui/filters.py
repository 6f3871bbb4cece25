"""Template filters: how times, durations, sizes, words and parties are written."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from webhooks import catalogue
from webhooks.catalogue import counted
from webhooks.services.charts import bar_chart
from webhooks.services.container import services
from webhooks.services.delivery_state import Facts, State, state_of
from webhooks.services.stats import MOST
from webhooks.services.webhook_state import WebhookFacts, webhook_state
from webhooks.vault import is_sealed


def init_app(app: Flask) -> None:
    """Register the filters, each by its function's name."""
    filters: tuple[Callable[..., object], ...] = (
        local, when, clock, word, header_lines, pretty, party, span, size, fields, number, capped, counted,
        capped_counted, bar_chart, standing, webhook_standing,
        can_be_hurried,
    )  # fmt: skip
    for template_filter in filters:
        app.add_template_filter(template_filter)


def zone() -> ZoneInfo | None:
    """SPOKE_TZ; None is the machine's zone."""
    name = services().settings.tz
    return ZoneInfo(name) if name else None


def in_zone(moment: datetime) -> datetime:
    """The same moment in SPOKE_TZ, or in the machine's zone."""
    return moment.astimezone(zone())


def midnight() -> datetime:
    """When today began, in SPOKE_TZ."""
    return in_zone(datetime.now().astimezone()).replace(hour=0, minute=0, second=0, microsecond=0)


def localize(moment: datetime) -> datetime:
    """A time without a zone, as ``datetime-local`` inputs send it, in SPOKE_TZ or in the machine's zone."""
    own_zone = zone()
    return moment.replace(tzinfo=own_zone) if own_zone else moment.astimezone()


def local(moment: datetime) -> str:
    """Date and time to the second."""
    return in_zone(moment).strftime("%Y-%m-%d %H:%M:%S")


def when(moment: datetime) -> str:
    """The time alone if it is today's."""
    here = in_zone(moment)
    is_today = here.date() == datetime.now(zone()).date()
    return here.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M")


def clock(moment: datetime) -> str:
    """Hours and minutes, where the day is plain."""
    return in_zone(moment).strftime("%H:%M")


def standing(facts: Facts) -> State:
    """How a delivery stands now, in words."""
    return state_of(facts, datetime.now(UTC), when)


def webhook_standing(facts: WebhookFacts) -> State:
    """How a webhook stands now, in words."""
    return webhook_state(facts, datetime.now(UTC), when)


def can_be_hurried(facts: WebhookFacts) -> bool:
    """Whether "try now" would send something of a webhook sooner."""
    return facts.can_be_hurried(datetime.now(UTC))


def span(milliseconds: float) -> str:
    """A duration as people say it."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    whole = timedelta(seconds=round(milliseconds / 1000))
    return f"{whole.days} d {whole.seconds // 3600} h" if whole.days else f"{whole}"


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


def number(count: int) -> str:
    """A count with its thousands apart."""
    return f"{count:,}"


def capped(count: int) -> str:
    """A count that was taken no further than ``MOST``."""
    return f"{MOST:,}+" if count > MOST else f"{count:,}"


def capped_counted(count: int, singular: str, plural: str) -> str:
    """The same with its noun: "1 delivery", "10,000+ deliveries"."""
    return f"{capped(count)} {singular if count == 1 else plural}"


def word(value: str) -> str:
    return catalogue.label(value)


def header_lines(text: str | None) -> str:
    """Kept headers, a line each, as they went over the wire."""
    if text and is_sealed(text):
        return "They cannot be read: another secret key has sealed them."
    kept = json.loads(text or "{}")
    pairs = kept.items() if isinstance(kept, dict) else kept
    return "\n".join(f"{name}: {value}" for name, value in pairs)


def pretty(text: str) -> str:
    """JSON with line breaks; what is none stays as it is. For reading only: the order is the wire's."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def fields(body: str) -> dict[str, Any]:
    """An event's fields."""
    event: dict[str, Any] = json.loads(body)
    return event


def party(event: dict[str, Any], side: str) -> str:
    """One side of a call: number and name, cut to what a line holds."""
    parts = [str(event.get(side) or ""), str(event.get(f"{side}_name") or "")]
    shown = " · ".join(part for part in parts if part)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
