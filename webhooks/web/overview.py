"""A first plain page: locations, webhooks, and the latest deliveries with their attempts."""

import json
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template

from webhooks import catalogue
from webhooks.web.access import admin
from webhooks.web.services import services

blueprint = Blueprint("overview", __name__)
_LATEST: Final = 50


@blueprint.get("/")
@admin
def show() -> Any:
    registry, history = services().registry, services().history
    return render_template(
        "overview.html",
        locations=registry.locations(),
        webhooks=registry.webhooks(),
        deliveries=history.latest_deliveries(_LATEST),
        unmatched=history.unmatched_events(_LATEST),
    )


@blueprint.app_template_filter("local")
def local(moment: datetime) -> str:
    """A time in SPOKE_TZ, or in the machine's zone."""
    zone = services().settings.tz
    return moment.astimezone(ZoneInfo(zone) if zone else None).strftime("%Y-%m-%d %H:%M:%S")


@blueprint.app_template_filter("headers")
def headers(text: str) -> str:
    """Kept headers, a line each, as they went over the wire."""
    return "\n".join(f"{name}: {value}" for name, value in json.loads(text).items())


@blueprint.app_template_filter("word")
def word(value: str | None) -> str:
    return catalogue.label(value)
