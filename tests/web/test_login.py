"""Log-in of the one admin: who comes in, from where, how it ends; and that the page shows all harmlessly."""

import html
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests
from machine import PASSWORD, Appliance, eventually
from receiver import Answer, Receiver

from app import create_app
from webhooks.settings import Settings

Place = tuple[str, str]

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


def leads_to_login(answer: requests.Response) -> bool:
    return answer.status_code == 303 and urlsplit(answer.headers["Location"]).path == "/login"


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
    ["", "wrong", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "päßwörd ☎", "\0", "x" * 100_000],
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


def test_a_form_without_a_password_is_422(appliance: Appliance) -> None:
    assert Browser(appliance).post("/login", {"user": "admin"}).status_code == 422


def test_a_log_in_lasts_until_the_log_out(appliance: Appliance) -> None:
    browser, other = Browser(appliance, PASSWORD), Browser(appliance, PASSWORD)
    for _ in range(8):  # both web processes know it
        assert browser.inside
    assert browser.get("/login").status_code == 303, "who is inside needs no form"
    assert leads_to_login(browser.post("/logout"))
    assert not browser.inside and other.inside


def test_a_session_is_signed(appliance: Appliance) -> None:
    browser = Browser(appliance, PASSWORD)
    cookie = browser.session.cookies["spoke_session"]
    payload, _, rest = cookie.partition(".")
    for forged in (payload, f"{payload}.", f"{payload[:-1]}A.{rest}", f"{cookie[:-2]}AA", "", "a.b.c"):
        answer = requests.get(
            appliance.url, headers={"Cookie": f"spoke_session={forged}"}, allow_redirects=False, timeout=10
        )
        assert leads_to_login(answer)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(appliance: Appliance) -> None:
    cookie = Browser(appliance).log_in(PASSWORD).headers["Set-Cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax"} <= parts
    assert "secure" not in parts, "over plain http no browser would send it back"
    assert not any(part.startswith("domain=") for part in parts)


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
def test_a_form_of_another_site_is_refused(
    appliance: Appliance, place: Place, origin: str | None, site: str | None
) -> None:
    """With the right password and with a session: a log-in and a log-out by somebody else's page."""
    browser = Browser(appliance, PASSWORD)
    own = urlsplit(appliance.url).netloc
    headers = {"Origin": origin and origin.format(own=appliance.url, host=own), "Sec-Fetch-Site": site}
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
def test_a_form_of_ours_is_taken(appliance: Appliance, origin: str | None, site: str | None) -> None:
    headers = {"Origin": origin and origin.format(own=appliance.url), "Sec-Fetch-Site": site}
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
def test_a_log_in_leads_nowhere_but_to_us(appliance: Appliance, target: str) -> None:
    browser = Browser(appliance)
    answer = browser.log_in(PASSWORD, "/login?" + urlencode({"next": target}))
    assert answer.status_code == 303
    location = answer.headers["Location"]
    # As browsers read it: a backslash is a slash, tabs and line ends are not there.
    read = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    assert urljoin(appliance.url, read).startswith(f"{appliance.url}/") and not read.startswith("//")
    assert "x" not in answer.cookies and browser.inside


# --- what the page shows ---

SCRIPT = "<script>alert(1)</script>"


def test_the_page_shows_locations_webhooks_and_deliveries_with_their_attempts(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    name, token = place
    url = receiver.url(f"/hook/{uuid.uuid4().hex}")
    appliance.webhook(name, url, type="outgoing_call", status="not_available")
    receiver.answers[urlsplit(url).path] = [Answer(503, body=b"come again"), 200]
    caller = f"Dade {uuid.uuid4().hex}"
    appliance.event(token, type="outgoing_call", subtype="not_available", from_name=caller)
    receiver.wait(urlsplit(url).path, 2)
    browser = Browser(appliance, PASSWORD)
    page = eventually(
        lambda: (text := html.unescape(browser.get("/").text)).count("200") and "come again" in text and text
    )
    for wanted in (name, url, caller, "Outgoing Call", "Not available", "503", "come again"):
        assert wanted in page, wanted
    assert eventually(lambda: "Delivered" in browser.get("/").text)
    assert token not in page and "whsec_" not in page


def test_what_others_write_is_shown_as_text(appliance: Appliance, receiver: Receiver) -> None:
    """A caller's name, a PBX's fields, a receiver's answer, a location's name and a URL."""
    name = f"<b>{uuid.uuid4().hex[:8]}</b>{SCRIPT}"
    token = appliance.location(name)
    appliance.webhook(name, receiver.url("/hook?a=<script>alert(1)</script>&b='\"><i>"))
    path = "/hook"
    receiver.answers[path] = [Answer(200, {"X-Attack": SCRIPT}, f"{SCRIPT}</pre>".encode())]
    marked = uuid.uuid4().hex
    hostile = {"from_name": SCRIPT, "to_name": f"</pre>{SCRIPT}{marked}", SCRIPT: "'\"><img src=x onerror=a>"}
    assert appliance.event(token, type="incoming_call", subtype="ringing", **hostile).status_code == 202
    browser = Browser(appliance, PASSWORD)
    page: str = eventually(lambda: marked in (text := browser.get("/").text) and "X-Attack" in text and text)
    for harmful in (SCRIPT, "<b>", "<i>", "<img", f"</pre>{SCRIPT}"):
        assert harmful not in page, harmful
    assert SCRIPT in html.unescape(page)


def test_an_event_that_matched_nothing_is_told(appliance: Appliance, place: Place) -> None:
    appliance.event(place[1], type="call_recording")
    page = Browser(appliance, PASSWORD).get("/").text
    assert "matched no webhook" in page and "Call Recording" in page


def test_a_paused_location_says_that_its_pbx_is_losing_events(appliance: Appliance, place: Place) -> None:
    browser = Browser(appliance, PASSWORD)
    appliance.cli("location", "pause", place[0])
    assert "losing events" in browser.get("/").text
    appliance.cli("location", "resume", place[0])


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/login", 200), ("/nothing", 404)],
)
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

    assert appliance.invoke("password", input="a new password\n").exit_code == 0
    for browser in inside * 4:  # whichever web process is asked
        assert not browser.inside
    assert Browser(appliance).log_in(first).status_code == 422
    assert Browser(appliance, "a new password").inside

    kept = appliance.rows("SELECT value FROM meta")
    assert not any(secret in row[0] for row in kept for secret in (first, "a new password"))
    assert "a new password" not in appliance.log


def test_behind_https_the_cookie_is_secure(tmp_path: Path) -> None:
    """And a form may come from the public address, whatever the proxy makes of the host."""
    settings = Settings(
        data_dir=tmp_path, admin_password=PASSWORD, public_url="https://spoke.example/hooks", _env_file=None
    )
    app = create_app(settings)
    client = app.test_client()
    answers = [
        client.post("/login", data={"password": PASSWORD}, headers={"Origin": origin})
        for origin in ("https://spoke.example", "https://spoke.example.evil")
    ]
    assert [answer.status_code for answer in answers] == [303, 403]
    assert "secure" in {part.strip().lower() for part in answers[0].headers["Set-Cookie"].split(";")}
    app.extensions["spoke"].store.engine.dispose()
