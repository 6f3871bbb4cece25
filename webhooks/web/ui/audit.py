"""History: who changed what, when; from pages, commands and the appliance itself."""

from typing import Any, Final

from flask import Blueprint, render_template

from webhooks.services.container import services
from webhooks.web.shared.access import admin
from webhooks.web.ui.page import PageQuery, parse_query

blueprint = Blueprint("changes", __name__)
_PAGE: Final = 100


@blueprint.get("/history")
@admin
def show() -> Any:
    before = parse_query(PageQuery).before
    found = services().audit_log.latest(_PAGE + 1, before)
    older = found[_PAGE - 1].id if len(found) > _PAGE else None
    return render_template("audit/show.html", changes=found[:_PAGE], older=older, before=before)
