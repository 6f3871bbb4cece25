"""History: who changed what, when; from pages, commands and the appliance itself."""

from typing import Any, Final

from flask import Blueprint, render_template

from webhooks.services.container import services
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import PageQuery, parse_query

blueprint = Blueprint("audit", __name__)
_PAGE: Final = 100


@blueprint.get("/history")
@admin
def index() -> Any:
    before = parse_query(PageQuery).before
    changes = services().audit_log.latest(_PAGE + 1, before)
    older = changes[_PAGE - 1].id if len(changes) > _PAGE else None
    return render_template("audit/index.html", changes=changes[:_PAGE], older=older, before=before)
