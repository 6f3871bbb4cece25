"""Every page with a million deliveries in the tables beside that with a thousand, and its size.

On SQLite and on PostgreSQL. Half of the deliveries are held, all of one webhook, the others delivered to nine
others.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

import requests
import sqlalchemy as sa
from appliance import PASSWORD, Appliance, PostgreSQL

from bench import bulk
from bench.figures import Latency, times
from bench.report import Line
from bench.session import Session
from webhooks.db.store import Store

_WEBHOOKS: Final = 10
_FEW: Final = 1_000
_LIMIT: Final = 50.0  # ms
_TIMES: Final = 2.0
_BYTES: Final = 100_000
_WARM: Final = 4  # requests beforehand: every web process has loaded its templates then
_COUNTED: Final = 20

_PAGES: Final = {
    "main page": "/",
    "Manage Webhooks": "/locations/1/webhooks",
    "webhook": "/webhooks/2",
    "webhook with all the held": "/webhooks/1",
    "log": "/deliveries",
    "log, page from the middle": "/deliveries?before={middle}",
    "log of a webhook": "/deliveries?webhook=2",
    "log of a location": "/deliveries?location=1",
    "log of a location by state, none": "/deliveries?location=1&state=failing",
    "log of a location by status, bounded search": "/deliveries?location=1&status=missed",
    "log by state": "/deliveries?state=held",
    "log by state, none": "/deliveries?state=failed",
    "log by status, bounded search": "/deliveries?status=missed",
    "log by time": "/deliveries?since=2020-01-01&until={past}",
    "log of a number": "/deliveries?number=1920383700",
    "log of a number in every call": "/deliveries?number=5010",
    "log of a number by state, bounded search": "/deliveries?number=5010&state=failed",
    "log of a call": "/deliveries?call=call 7",
    "rows alone, as they renew themselves": "/deliveries?short=1",
    "delivery": "/deliveries/{middle}",
    "event": "/events/7",
    "unmatched events": "/events/unmatched",
    "count of a replay of nothing": "/webhooks/2/replay?since=2020-01-01&state=failed",
    "location": "/locations/1",
    "history": "/history",
    "settings": "/settings",
    "API: deliveries": "/api/deliveries",
    "API: deliveries by state, none": "/api/deliveries?state=failed",
    "API: deliveries by type, bounded search": "/api/deliveries?type=voicemail",
    "API: deliveries of a webhook": "/api/deliveries?webhook=2",
    "API: events": "/api/events",
    "API: events by status, bounded search": "/api/events?status=missed",
}


def measure(session: Session) -> list[Line]:
    return _lines(session, "SQLite", dict) + _on_postgresql(session)


def _on_postgresql(session: Session) -> list[Line]:
    server = PostgreSQL()
    try:
        return _lines(session, "PostgreSQL", lambda: {"DATABASE_URL": server.new()})
    finally:
        server.close()


def _lines(session: Session, database: str, environment: Callable[[], dict[str, str]]) -> list[Line]:
    many = session.size(1_000_000, 100_000)
    few_found, _ = _figures(session, _FEW, environment())
    found, sizes = _figures(session, many, environment())
    lines = [_line(f"{database}, {name}", many, few_found[name], found[name]) for name in _PAGES]
    largest = max(sizes, key=lambda name: sizes[name])
    size = f"{sizes[largest] / 1000:.0f} kB"
    share = f"{sizes[largest] / _BYTES:.2f}×"
    limit = f"< {_BYTES // 1000} kB"
    what = f"{database}, largest page: {largest}"
    lines.append(Line(what, size, "htmx, styles aside", "", share, limit, sizes[largest] < _BYTES))
    return lines


def _line(name: str, many: int, few: Latency, found: Latency) -> Line:
    # A search that looks at 3,000 rows and stops looks at no more than there are with a thousand.
    bounded = name.endswith("bounded search")
    hit = found.p50 <= _LIMIT and (bounded or found.p50 <= _TIMES * few.p50)
    return Line(
        f"{name}, {many:,} deliveries", str(found), f"with {_FEW:,}: {few}", "", times(found.p50 / few.p50),
        f"p50 ≤ {_LIMIT:.0f} ms" + ("" if bounded else f", ≤ {_TIMES:.0f}×"), hit,
    )  # fmt: skip


def _figures(
    session: Session, deliveries: int, environment: dict[str, str]
) -> tuple[dict[str, Latency], dict[str, int]]:
    session.say(f"writing {deliveries:,} deliveries")
    appliance = Appliance(session.new_folder("pages"), start=False, **environment)
    appliance.location("Bench")
    for _ in range(_WEBHOOKS):
        appliance.webhook("Bench", "http://127.0.0.1:9/")
    key = appliance.cli("key", "add", "bench")["key"]
    places = {"middle": deliveries // 2, "past": _filled(appliance, deliveries)}
    found: dict[str, Latency] = {}
    sizes: dict[str, int] = {}
    with _started(appliance), requests.Session() as browser:
        browser.trust_env = False
        browser.headers.update({"Origin": appliance.url, "Accept": "text/html"})
        browser.post(f"{appliance.url}/login", data={"password": PASSWORD}).raise_for_status()
        for name, path in _PAGES.items():
            taken, sizes[name] = _page(browser, appliance.url, path.format(**places), key)
            found[name] = Latency.of(taken)
            session.say(f"{name}, {deliveries:,} deliveries: {found[name]}, {sizes[name]:,} bytes")
    return found, sizes


def _filled(appliance: Appliance, deliveries: int) -> str:
    """Fill the database. Returns the time at which a quarter of the events had come."""
    store: Store = appliance.app.extensions["spoke"].store
    bulk.fill(store, deliveries, _WEBHOOKS)
    with store.write() as writing:  # the pages are to be measured on a machine that sends nothing
        connection = writing.connection()
        connection.execute(sa.text("UPDATE webhook SET state = 'paused' WHERE id = 1"))
        connection.execute(sa.text("UPDATE delivery SET state = 'held' WHERE state = 'pending'"))
    bulk.settle(store)
    with store.read() as reading:
        past = reading.execute(
            sa.text("SELECT accepted_at FROM event WHERE id = :id"), {"id": deliveries // 4}
        )
        until = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(past.scalar_one() / 1000))
    store.engine.dispose()
    return until


@contextlib.contextmanager
def _started(appliance: Appliance) -> Iterator[None]:
    try:
        appliance.start()
        yield
    finally:
        appliance.kill()
        appliance.end()


def _page(browser: requests.Session, site: str, path: str, key: str) -> tuple[list[float], int]:
    """Milliseconds of some rounds, and the page's bytes."""
    headers = {"HX-Request": "true"} if "short=1" in path else {}
    if path.startswith("/api/"):
        headers["Authorization"] = f"Bearer {key}"
    taken: list[float] = []
    while len(taken) < _WARM + _COUNTED:
        begin = time.perf_counter()
        answer = browser.get(site + path, headers=headers, allow_redirects=False)
        if answer.status_code == 429:  # a key's limit
            time.sleep(float(answer.headers["Retry-After"]))
            continue
        taken.append((time.perf_counter() - begin) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    taken = taken[_WARM:]
    return taken, len(answer.content)
