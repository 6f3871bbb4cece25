"""``/api/alerts``: what needs a person, and what did."""

from typing import Annotated, Literal

from pydantic import Field

from webhooks.services.container import services
from webhooks.services.matters import KINDS
from webhooks.web.api.keys import new_blueprint
from webhooks.web.api.operations import Listed, operation
from webhooks.web.api.shapes import ListQuery, Shown, Time, words

blueprint = new_blueprint("alerts")


class AlertQuery(ListQuery):
    """Alerts that are open, or closed; left out: both."""

    state: Literal["open", "closed"] | None = Field(default=None, title="State")


class AlertShown(Shown):
    """Something that needs a person until ``closed_at``; ``subject`` says whose it is, as "webhook 3"."""

    id: int
    kind: Annotated[str, words(KINDS)]
    subject: str
    text: str
    opened_at: Time
    closed_at: Time | None


@blueprint.get("/alerts")
@operation(query=AlertQuery, answers={200: list[AlertShown]})
def index(wanted: AlertQuery) -> Listed:
    """List alerts, newest first."""
    is_open = None if wanted.state is None else wanted.state == "open"
    rows, older = services().alerts.page(wanted.before, wanted.limit, is_open=is_open)
    shown = [
        AlertShown.model_validate({name: getattr(row, name) for name in AlertShown.model_fields})
        for row in rows
    ]
    return Listed(shown, older)
