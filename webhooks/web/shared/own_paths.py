"""Paths of this site in what a browser sends; an address of another site is never followed."""

from flask import request, url_for


def shown_page(header: str = "Referer") -> str | None:
    """The path and query of the page that the browser shows, without our prefix; None if it is not ours."""
    site, _, path = request.headers.get(header, "").partition("://")[2].partition("/")
    if site != request.host:
        return None
    prefix = request.script_root.lstrip("/")
    if prefix and f"{path}/".startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    return f"/{path.lstrip('/')}"


def own_address(path: str | None) -> str:
    """A path of ours as an address to go to, with our prefix."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        return url_for("integrations.index")
    return request.script_root + path
