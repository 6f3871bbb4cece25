"""Log-in of the one admin: who comes in, from where, how often a wrong password is tried, how it ends."""

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests
import sqlalchemy as sa
from appliance import PASSWORD, Appliance, Place, eventually
from flask.sessions import SecureCookieSessionInterface

from app import create_app
from webhooks.settings import Settings

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Browser:
    """Keeps cookies, and says with a form where the form came from."""

    def __init__(self, appliance: Appliance, password: str | None = None) -> None:
        self.url = appliance.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(PAGE)
        if password is not None:
            assert self.log_in(password).status_code == 303

    def get(self, path: str = "/", **more: Any) -> requests.Response:
        return self.session.get(self.url + path, allow_redirects=False, timeout=10, **more)

    def post(self, path: str, data: dict[str, str] | None = None, **headers: str | None) -> requests.Response:
        sent = {"Origin": self.url, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.session.post(
            self.url + path, data=data or {}, headers=sent, allow_redirects=False, timeout=10
        )

    def log_in(self, password: str, path: str = "/login", **headers: str | None) -> requests.Response:
        return self.post(path, {"user": "admin", "password": password}, **headers)

    @property
    def inside(self) -> bool:
        answer = self.get("/")
        assert answer.status_code in (200, 303)
        return answer.status_code == 200


@pytest.fixture(autouse=True)
def forgiven(appliance: Appliance) -> None:
    """All tests come from one address: one test's wrong passwords must not slow down the next."""
    with appliance.app.extensions["spoke"].store.write() as session:
        session.execute(sa.text("DELETE FROM login_failure"))


def leads_to_login(answer: requests.Response) -> bool:
    return answer.status_code == 303 and urlsplit(answer.headers["Location"]).path == "/login"


def test_the_history_tells_of_five_wrong_passwords(appliance: Appliance) -> None:
    told = "SELECT count(*) FROM change WHERE actor LIKE 'a visitor%' AND text LIKE '5 wrong passwords%'"
    before = appliance.rows(told)[0][0]
    browser = Browser(appliance)
    assert [browser.log_in("wr0ng").status_code for _ in range(5)] == [422] * 5
    eventually(lambda: browser.log_in(PASSWORD).status_code == 303)
    assert appliance.rows(told)[0][0] == before + 1


# --- in and out ---


def test_who_is_not_logged_in_is_led_to_the_log_in_and_then_back(appliance: Appliance) -> None:
    browser = Browser(appliance)
    answer = browser.get("/?about=x&y=ü")
    assert leads_to_login(answer)
    at = urlsplit(answer.headers["Location"])
    assert parse_qs(at.query)["next"][0].startswith("/?about=x")
    page = browser.get(f"{at.path}?{at.query}")
    assert page.status_code == 200 and 'type="password"' in page.text
    answer = browser.log_in(PASSWORD, f"{at.path}?{at.query}")
    assert answer.status_code == 303
    back = urlsplit(urljoin(appliance.url, answer.headers["Location"]))
    assert (back.path, parse_qs(back.query)) == ("/", {"about": ["x"], "y": ["ü"]})
    assert browser.inside


def test_without_a_log_in_nothing_is_shown_or_done(appliance: Appliance, place: Place) -> None:
    browser = Browser(appliance)
    for answer in (
        browser.get("/"),
        browser.session.head(appliance.url, timeout=10),
        browser.post("/logout"),
    ):
        assert leads_to_login(answer)
        assert place[0] not in answer.text


@pytest.mark.parametrize(
    "password",
    ["", "wr0ng", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "päßwörd ☎", "\0", "x" * 15_000],
    ids=["empty", "wrong", "upper-case", "space-behind", "shorter", "unicode", "nul", "long"],
)
def test_a_wrong_password_is_422_and_lets_nobody_in(appliance: Appliance, password: str) -> None:
    browser = Browser(appliance)
    answer = browser.log_in(password)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text and 'type="password"' in answer.text
    assert "Set-Cookie" not in answer.headers
    assert not browser.inside
    if password.strip():
        assert password not in answer.text and password not in appliance.log


@pytest.mark.parametrize("chunked", [False, True], ids=["long", "chunked"])
@pytest.mark.databases("one")
def test_a_body_that_is_no_form_of_ours_is_refused_unread(appliance: Appliance, chunked: bool) -> None:
    """What is short is waited for outside of the web threads; nothing else is read."""
    data: Any = iter([b"password=", *[b"x" * 10_000] * 10]) if chunked else "password=" + "x" * 100_000
    headers = {"Origin": appliance.url, "Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{appliance.url}/login", data=data, headers=headers, timeout=10)
    assert answer.status_code == 413


@pytest.mark.databases("one")
def test_a_form_without_a_password_is_422(appliance: Appliance) -> None:
    assert Browser(appliance).post("/login", {"user": "admin"}).status_code == 422


def test_a_log_in_lasts_until_the_log_out(appliance: Appliance) -> None:
    browser, other = Browser(appliance, PASSWORD), Browser(appliance, PASSWORD)
    for _ in range(8):  # both web processes know it
        assert browser.inside
    assert browser.get("/login").status_code == 303, "who is inside needs no form"
    assert leads_to_login(browser.post("/logout"))
    assert not browser.inside and other.inside


@pytest.mark.databases("one")
def test_a_session_is_signed(appliance: Appliance) -> None:
    browser = Browser(appliance, PASSWORD)
    cookie = browser.session.cookies["spoke_session"]
    payload, _, rest = cookie.partition(".")
    # Not the last character of a part: some of its bits are padding.
    other = "B" if payload[9] == "A" else "A"
    changed = f"{payload[:9]}{other}{payload[10:]}.{rest}"
    signature = f"{cookie[:-9]}{'B' if cookie[-9] == 'A' else 'A'}{cookie[-8:]}"
    for forged in (payload, f"{payload}.", changed, signature, "", "a.b.c"):
        answer = requests.get(
            appliance.url, headers={"Cookie": f"spoke_session={forged}"}, allow_redirects=False, timeout=10
        )
        assert leads_to_login(answer)


@pytest.mark.databases("one")
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(appliance: Appliance) -> None:
    cookie = Browser(appliance).log_in(PASSWORD).headers["Set-Cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax"} <= parts
    assert "secure" not in parts, "over plain http no browser would send it back"
    assert not any(part.startswith("domain=") for part in parts)


def test_a_log_out_ends_the_session_not_only_the_cookie(appliance: Appliance) -> None:
    browser = Browser(appliance, PASSWORD)
    copy = Browser(appliance)
    copy.session.cookies.update(browser.session.cookies)
    assert copy.inside
    browser.post("/logout")
    assert not copy.inside


def test_log_out_everywhere_ends_all_sessions(appliance: Appliance) -> None:
    one, other = Browser(appliance, PASSWORD), Browser(appliance, PASSWORD)
    assert leads_to_login(one.post("/settings/log-out-everywhere"))
    assert not one.inside and not other.inside


def test_a_session_that_nobody_used_for_12_hours_is_over(appliance: Appliance) -> None:
    used, idle, old = (Browser(appliance, PASSWORD) for _ in range(3))
    hour = 3_600_000
    with appliance.app.extensions["spoke"].store.write() as session:
        for browser, column, ago in ((used, "seen_at", 11), (idle, "seen_at", 13), (old, "created_at", 170)):
            session.execute(
                sa.text(f"UPDATE login_session SET {column} = {column} - :ms WHERE id_hash = :id"),
                {"ms": ago * hour, "id": session_hash(appliance, browser)},
            )
    assert used.inside and not idle.inside and not old.inside
    seen = appliance.rows(
        "SELECT seen_at FROM login_session WHERE id_hash = :id", id=session_hash(appliance, used)
    )
    assert seen[0][0] > time.time() * 1000 - hour, "a visit keeps it alive"


def session_hash(appliance: Appliance, browser: Browser) -> bytes:
    opened = SecureCookieSessionInterface().get_signing_serializer(appliance.app)
    assert opened is not None
    return hashlib.sha256(opened.loads(browser.session.cookies["spoke_session"])["id"].encode()).digest()


def test_wrong_passwords_are_slowed_down_and_a_right_one_forgives(appliance: Appliance) -> None:
    browser = Browser(appliance)
    for _ in range(5):
        assert browser.log_in("guessed").status_code == 422
    began = time.monotonic()
    answer = browser.log_in(PASSWORD)
    assert answer.status_code == 429, "not even the right one"
    assert time.monotonic() - began >= 1, "at full speed a crowd would use a core up"
    assert 1 <= int(answer.headers["Retry-After"]) <= 2 and "Try again in" in answer.text
    eventually(lambda: browser.log_in(PASSWORD).status_code == 303)
    assert Browser(appliance).log_in("guessed").status_code == 422, "the count begins anew"


@pytest.mark.databases("one")
def test_tries_are_counted_by_the_real_clients_address(start_appliance: Callable[..., Appliance]) -> None:
    """Behind a trusted proxy each client has tries of its own; a header from elsewhere counts for nothing."""
    behind = start_appliance(SPOKE_TRUSTED_PROXIES="127.0.0.0/8")
    browser = Browser(behind)
    for _ in range(5):
        browser.log_in("guessed", X_Forwarded_For="203.0.113.7")
    assert browser.log_in(PASSWORD, X_Forwarded_For="203.0.113.7").status_code == 429
    assert browser.log_in(PASSWORD, X_Forwarded_For="203.0.113.8").status_code == 303
    for last in range(6):
        answer = browser.log_in("guessed", X_Forwarded_For=f"2001:db8:1:2::{last}")
    assert answer.status_code == 429, "one household's network"


def test_of_many_tries_of_one_address_in_one_instant_five_are_judged(appliance: Appliance) -> None:
    """Each is counted before it is judged: they do not overtake the count."""
    ready = threading.Barrier(40)

    def attempt(_: int) -> int:
        browser = Browser(appliance)
        ready.wait()
        return browser.log_in("guessed").status_code

    with ThreadPoolExecutor(40) as crowd:
        statuses = Counter(crowd.map(attempt, range(40)))
    assert 1 <= statuses[422] <= 9, "five, and a few more if it took seconds"
    assert set(statuses) <= {422, 429, 503} and statuses[429] + statuses[503] >= 31
    eventually(lambda: Browser(appliance).log_in(PASSWORD).status_code == 303)


# --- from where ---


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        pytest.param("https://evil.example", None, id="origin-elsewhere"),
        pytest.param("https://evil.example", "cross-site", id="both-elsewhere"),
        pytest.param("{own}", "cross-site", id="site-elsewhere"),
        pytest.param("{own}", "same-site", id="site-beside"),
        pytest.param("{own}.evil.example", None, id="origin-that-starts-like-ours"),
        pytest.param("http://evil.example/{own}", None, id="origin-that-ends-like-ours"),
        pytest.param("http://127.0.0.1", None, id="origin-of-another-port"),
        pytest.param("https://{host}", None, id="origin-of-another-scheme"),
        pytest.param("http://user@{host}", None, id="origin-with-a-user"),
        pytest.param("null", None, id="origin-null"),
        pytest.param("", None, id="origin-empty"),
        pytest.param("nonsense", None, id="origin-nonsense"),
        pytest.param("http://[", None, id="origin-broken"),
        pytest.param("http://[::1", None, id="origin-broken-ipv6"),
        pytest.param(None, None, id="neither"),
        pytest.param(None, "cross-site", id="no-origin-site-elsewhere"),
    ],
)
@pytest.mark.databases("one")
def test_a_form_of_another_site_is_refused(
    appliance: Appliance, place: Place, origin: str | None, site: str | None
) -> None:
    """With the right password and with a session: a log-in and a log-out by somebody else's page."""
    browser = Browser(appliance, PASSWORD)
    own = urlsplit(appliance.url).netloc
    headers: dict[str, Any] = {
        "Origin": origin and origin.format(own=appliance.url, host=own),
        "Sec-Fetch-Site": site,
    }
    stranger = Browser(appliance)
    for answer in (browser.post("/logout", None, **headers), stranger.log_in(PASSWORD, **headers)):
        assert answer.status_code == 403
        assert answer.headers["Content-Type"].startswith("text/html")
    assert browser.inside and not stranger.inside


@pytest.mark.parametrize(
    ("origin", "site"),
    [("{own}", None), ("{own}", "same-origin"), (None, "same-origin"), (None, "none")],
    ids=["origin", "both", "site", "by-hand"],
)
@pytest.mark.databases("one")
def test_a_form_of_ours_is_taken(appliance: Appliance, origin: str | None, site: str | None) -> None:
    headers: dict[str, Any] = {"Origin": origin and origin.format(own=appliance.url), "Sec-Fetch-Site": site}
    assert Browser(appliance).log_in(PASSWORD, **headers).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "https://evil.example",
        "https:evil.example",
        "HTTPS:/evil.example",
        "https:///evil.example",
        "//evil.example:443/",
        "//user@evil.example",
        "//[::1",
        "//[evil",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        ".evil.example",
        "@evil.example",
        "/\r\nSet-Cookie: x=1",
        "/\r\nLocation: https://evil.example",
        "/\0",
        "/\u2028",
        "",
    ],
)
@pytest.mark.databases("one")
def test_a_log_in_leads_nowhere_but_to_us(appliance: Appliance, target: str) -> None:
    browser = Browser(appliance)
    answer = browser.log_in(PASSWORD, "/login?" + urlencode({"next": target}))
    assert answer.status_code == 303
    location = answer.headers["Location"]
    # As browsers read it: a backslash is a slash, tabs and line ends are not there.
    read = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    assert urljoin(appliance.url, read).startswith(f"{appliance.url}/") and not read.startswith("//")
    assert "x" not in answer.cookies and browser.inside


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/login", 200), ("/nothing", 404)],
)
@pytest.mark.databases("one")
def test_every_page_forbids_what_it_does_not_need(appliance: Appliance, path: str, status: int) -> None:
    browser = Browser(appliance, PASSWORD) if path == "/" else Browser(appliance)
    answer = browser.get(path)
    assert answer.status_code == status and answer.headers["Content-Type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in str(policy) and "http" not in str(policy) and "*" not in str(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    # What the policy forbids is not there either.
    assert not re.search(r"<[^>]*\s(on\w+|style)=|<style|<script(?![^>]*\ssrc=)", answer.text)


# --- the password ---


def test_where_the_environment_sets_the_password_the_command_refuses(appliance: Appliance) -> None:
    done = appliance.invoke("password", input="another one\n")
    assert done.exit_code == 1 and "SPOKE_ADMIN_PASSWORD" in done.stderr and not done.stdout
    assert Browser(appliance, PASSWORD).inside


@pytest.mark.databases("one")
def test_a_generated_password_is_printed_once_and_a_new_one_ends_all_sessions(
    start_appliance: Callable[..., Appliance],
) -> None:
    appliance = start_appliance(SPOKE_ADMIN_PASSWORD="")
    found = re.findall(r"password\s+(\S+)$", appliance.log, re.MULTILINE)
    assert len(found) == 1, appliance.log
    first = found[0]
    assert len(first) >= 12
    assert Browser(appliance).log_in(PASSWORD).status_code == 422
    inside = [Browser(appliance, first), Browser(appliance, first)]

    assert appliance.stop() == 0
    appliance.start()
    assert appliance.log.count(first) == 1, "it is shown again"
    assert all(browser.inside for browser in inside), "a restart ends no session"

    short = appliance.invoke("password", input="short\n")
    assert short.exit_code == 1 and "8 characters" in short.stderr
    assert all(browser.inside for browser in inside)

    page = inside[0].post(
        "/settings/password", {"present": "wrong", "new": "of the page's", "again": "of the page's"}
    )
    assert page.status_code == 422 and "current password is wrong" in page.text
    page = inside[0].post(
        "/settings/password", {"present": first, "new": "of the page's", "again": "of the pages"}
    )
    assert page.status_code == 422 and "do not match" in page.text
    page = inside[0].post(
        "/settings/password", {"present": first, "new": "of the page's", "again": "of the page's"}
    )
    assert page.status_code == 303
    assert inside[0].inside and not inside[1].inside, "the others' sessions end"
    inside[1] = Browser(appliance, "of the page's")

    assert appliance.invoke("password", input="a new password\n").exit_code == 0
    for browser in inside * 4:  # whichever web process is asked
        assert not browser.inside
    assert Browser(appliance).log_in(first).status_code == 422
    assert Browser(appliance, "a new password").inside

    kept = appliance.rows("SELECT value FROM meta")
    assert not any(secret in row[0] for row in kept for secret in (first, "a new password"))
    assert "a new password" not in appliance.log


@pytest.mark.databases("one")
def test_behind_https_the_cookie_is_secure(tmp_path: Path) -> None:
    """And a form may come from the public address, whatever the proxy makes of the host."""
    settings = Settings(
        data_dir=tmp_path,
        admin_password=PASSWORD,
        public_url="https://spoke.example/hooks",
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings takes it, and tells no type checker
    )
    app = create_app(settings)
    client = app.test_client()
    answers = [
        client.post("/login", data={"password": PASSWORD}, headers={"Origin": origin})
        for origin in (
            "https://spoke.example",
            "https://spoke.example.evil",
            "http://spoke.example",
            "https://spoke.example:8443",
        )
    ]
    assert [answer.status_code for answer in answers] == [303, 403, 403, 403]
    assert "secure" in {part.strip().lower() for part in answers[0].headers["Set-Cookie"].split(";")}
    app.extensions["spoke"].store.engine.dispose()
