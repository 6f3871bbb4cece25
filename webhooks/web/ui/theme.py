"""The colour scheme, kept in a cookie: the server renders it, so that nothing flickers."""

from typing import Any, Final, Literal, get_args

from flask import Blueprint, redirect, request

from webhooks.services.container import services
from webhooks.services.parsing import Input
from webhooks.web.shared.access import public
from webhooks.web.shared.own_paths import own_address, shown_page
from webhooks.web.ui.page import parse_form

blueprint = Blueprint("theme", __name__)

Theme = Literal["system", "light", "dark"]
THEMES: Final[tuple[str, ...]] = get_args(Theme)
_COOKIE: Final = "spoke_theme"
_YEAR_SECONDS: Final = 365 * 86_400


class ThemeForm(Input):
    """A colour scheme; ``system`` follows the browser's."""

    theme: Theme


@blueprint.app_context_processor
def _in_templates() -> dict[str, Any]:
    chosen = request.cookies.get(_COOKIE, "")
    return {"theme": chosen if chosen in THEMES else "system", "themes": THEMES}


@blueprint.post("/theme")
@public
def set_theme() -> Any:
    """Keep the theme, and go back to the page that its form was on."""
    response = redirect(own_address(shown_page()), 303)
    secure = services().settings.base_url.startswith("https:")
    theme = parse_form(ThemeForm).theme
    response.set_cookie(_COOKIE, theme, _YEAR_SECONDS, samesite="Lax", httponly=True, secure=secure)
    return response
