"""What all pages share: how times, words and numbers are written, fragments, notices, the theme."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar, get_args

from flask import Blueprint, Flask, Response, current_app, flash, redirect, request, session, url_for

from webhooks import catalogue
from webhooks.parsing import Cursor, Input, Model, parse
from webhooks.services.container import services
from webhooks.settings import VERSION
from webhooks.web.shared.access import public
from webhooks.web.ui.filters import (
    _zone,
    capped,
    fields,
    header_lines,
    local,
    localize,
    party,
    pretty,
    size,
    span,
    when,
    word,
)

blueprint = Blueprint("pages", __name__)
_Theme = Literal["system", "light", "dark"]
_THEMES: Final = get_args(_Theme)
_Item = TypeVar("_Item")
_YEAR: Final = 365 * 86_400


class ThemeForm(Input):
    """A colour scheme; ``system`` follows the browser's."""

    theme: _Theme


class PageQuery(Input):
    """Where a list goes on: below the row ``before``, or at its ``page``, which counts from 1."""

    before: Cursor = None
    page: Cursor = None


def init_app(app: Flask) -> None:
    for filter_ in (local, when, word, header_lines, pretty, party, span, size, fields, capped):
        app.add_template_filter(filter_)
    app.context_processor(_shared)


def _shared() -> dict[str, Any]:
    settings = services().settings
    return {
        "asset": asset,
        "theme": theme(),
        "themes": _THEMES,
        "version": VERSION,
        "zone": str(_zone() or datetime.now().astimezone().tzname()),
        "filter_label": catalogue.filter_label,
        "no_public_url": settings.wildcard_host and not settings.public_url,
        "base_url": settings.base_url,
        "logged_in": "id" in session,
    }


def asset(name: str) -> str:
    """A static file's address, which changes with the file: browsers may keep it for ever."""
    changed = int(os.stat(os.path.join(current_app.static_folder or "", name)).st_mtime)
    return url_for("static", filename=name, v=f"{changed:x}")


def theme() -> str:
    chosen = request.cookies.get("spoke_theme", "")
    return chosen if chosen in _THEMES else "system"


@blueprint.post("/theme")
@public
def set_theme() -> Any:
    """Keep the theme in a cookie, so that the server renders it and nothing flickers."""
    chosen = parse_form(ThemeForm).theme
    answer = redirect(back(), 303)
    secure = services().settings.base_url.startswith("https:")
    answer.set_cookie("spoke_theme", chosen, max_age=_YEAR, samesite="Lax", httponly=True, secure=secure)
    return answer


def back() -> str:
    """The page that a form was on, by its Referer; a path of ours or the main page."""
    host, _, path = (request.referrer or "").partition("://")[2].partition("/")
    return f"/{path}" if host == request.host and not path.startswith(("/", "\\")) else url_for("cards.show")


@dataclass(frozen=True, slots=True)
class Paged(Generic[_Item]):
    """A page of a list that is all there: ``page`` counts from 1."""

    items: Sequence[_Item]
    page: int
    count: int


def paged(items: Sequence[_Item], size: int = 50) -> Paged[_Item]:
    """The page that the address asks for, or the nearest that there is."""
    count = max(1, -(-len(items) // size))
    page = min(max(parse_query(PageQuery).page or 1, 1), count)
    return Paged(items[(page - 1) * size : page * size], page, count)


def parse_form(model: type[Model]) -> Model:
    """The form that was sent; times without a zone are meant in SPOKE_TZ. Raises Invalid."""
    return parse(model, request.form, localize)


def parse_query(model: type[Model]) -> Model:
    """The address's query; times without a zone are meant in SPOKE_TZ. Raises Invalid."""
    return parse(model, request.args, localize)


def plain(text: str) -> Response:
    """Text as it is, for a browser to show or to save."""
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def wants_fragment() -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def notice(text: str) -> None:
    """Say it on the next page."""
    flash(text)


def reveal(what: str, secret: str, about: str) -> None:
    """Show a secret on the next page, once. It lies in the visitor's own cookie until then, in no log."""
    session["reveal"] = {"what": what, "secret": secret, "about": about}


def revealed(about: str) -> dict[str, str] | None:
    """What is to be shown now on the page about this."""
    kept: dict[str, str] | None = session.get("reveal")
    return session.pop("reveal") if kept and kept["about"] == about else None


# --- filters ---
