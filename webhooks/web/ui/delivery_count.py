"""How many deliveries a filter finds: asked for by the page of the log once that is shown."""

from typing import Any

from flask import Blueprint

from webhooks.catalogue import counted
from webhooks.services.container import services
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import parse_query, plain

blueprint = Blueprint("delivery_count", __name__)


@blueprint.get("/deliveries/count")
@admin
def show() -> Any:
    """``23 deliveries``, or ``1,000+ deliveries`` where there are or may be more. Raises Invalid."""
    found = services().delivery_log.count(parse_query(DeliveryFilter))
    if found.more:
        return plain(f"{found.total:,}+ deliveries")
    return plain(counted(found.total, "delivery", "deliveries"))
