"""A Zoho of the tests' own: accounts servers of two data centres, and PhoneBridge's API, v3.

It refuses whatever is not as Zoho documents it, and keeps the reason in ``faults``. Addresses: ``/us`` and
``/eu`` are accounts servers, ``/us-api`` and ``/eu-api`` the APIs that belong to them.
"""

import json
import re
import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from http_server import Handler, Server

CLIENT_ID: Final = "1000.CLIENT"
CLIENT_SECRET: Final = "client-secret-of-zoho"
USERS: Final = [
    {"zohouser": "z10", "email": "ada@example.com", "username": "Ada Lovelace"},
    {"zohouser": "z11", "email": "bob@example.com", "username": "Bob <b>"},
    {"zohouser": "z12", "email": "cleo@example.com", "username": "Cleo"},
]
_STATES: Final = {
    "received": {"ringing", "answered", "missed", "ended"},
    "dialed": {
        "ringing", "answered", "ended", "busy", "invalid", "blocked", "notavailable", "noanswer", "rejected",
    },
}  # fmt: skip
_OPTIONAL: Final = {"zohouser", "start_time", "duration", "voiceuri"}
_GMT: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_SUCCESS: Final = {"status": "success", "code": "SUCCESS"}


@dataclass
class Grant:
    """What a person granted. ``tokens`` are valid until the given time on the monotonic clock."""

    data_center: str
    refresh_token: str = field(default_factory=lambda: f"1000.{secrets.token_hex(12)}")
    tokens: dict[str, float] = field(default_factory=dict)
    integrated: bool = False


class FakeZoho:
    """``home``: the data centre of the account of whoever logs in. ``registered``: the client is a provider.

    ``plan`` are answers to the next notices, in place of what would be: (status, headers, body).
    ``notice_s``: how long a notice takes; ``expires_in``: how long a token lives, as it is told.
    """

    def __init__(self) -> None:
        self.home = "us"
        self.registered = True
        self.expires_in = 3600
        self.notice_s = 0.0
        self.down = False
        self.users = USERS
        self.turns_pages = True
        self.plan: list[tuple[int, dict[str, str], bytes]] = []
        self.notices: list[dict[str, str]] = []
        self.faults: list[str] = []
        self.refreshes: list[float] = []
        self.calls: list[str] = []
        self._codes: dict[str, str] = {}
        self._grants: dict[str, Grant] = {}
        self._changed = threading.Condition()
        outer = self

        class Asked(Handler):
            def do_POST(self) -> None:
                status, headers, answer = outer._answer(
                    self.command, self.path, dict(self.headers), self.body().decode()
                )
                self.respond(status, {"Content-Type": "application/json", **headers}, answer)

        self._server = Server(Asked)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        self._server.close()

    @property
    def environment(self) -> dict[str, Any]:
        """The settings with which an appliance takes this for Zoho."""
        return {"SPOKE_ZOHO_ACCOUNTS": f"{self.url}/us", "SPOKE_ZOHO_API": self.url}

    # --- what happens at Zoho ---

    def grant(self) -> Grant:
        """Somebody grants what we need, without a browser."""
        grant = Grant(self.home, integrated=True)
        with self._changed:
            self._grants[grant.refresh_token] = grant
        return grant

    def revoke_all(self) -> None:
        """Somebody removes the appliance from the connected apps."""
        with self._changed:
            self._grants.clear()

    def expire_tokens(self) -> None:
        """An hour goes by for the tokens that were given."""
        with self._changed:
            for grant in self._grants.values():
                grant.tokens.clear()

    def grants(self) -> list[Grant]:
        with self._changed:
            return list(self._grants.values())

    def of_call(self, call: str) -> list[dict[str, str]]:
        """The notices of a call, in order."""
        with self._changed:
            return [notice for notice in self.notices if notice["id"] == call]

    def states(self) -> dict[str, list[str]]:
        """States of each call in the order in which they were told."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        with self._changed:
            for notice in self.notices:
                found[notice["id"]].append(notice["state"])
        return found

    def wait(self, count: int, seconds: float = 20) -> list[dict[str, str]]:
        """Wait for so many notices that were taken; fails the test after ``seconds``."""
        until = time.monotonic() + seconds
        with self._changed:
            while len(self.notices) < count:
                assert self._changed.wait(until - time.monotonic()), f"{len(self.notices)} of {count} came"
            return list(self.notices)

    # --- its doors ---

    def _answer(
        self, method: str, path: str, headers: dict[str, str], body: str
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {name.lower(): value for name, value in headers.items()}
        parts = urlsplit(path)
        place, _, rest = parts.path.lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self._changed:
            self.calls.append(f"{method} {parts.path}")
        if self.down:
            return self._error(500, "INTERNAL_ERROR")
        if place in ("us", "eu") and (method, rest) == ("GET", "oauth/v2/auth"):
            return self._log_in(query)
        form = self._form(method, headers, body)
        if place in ("us", "eu") and (method, rest) == ("POST", "oauth/v2/token"):
            return self._token(place, form)
        if place in ("us", "eu") and (method, rest) == ("POST", "oauth/v2/token/revoke"):
            with self._changed:
                revoked = self._grants.pop(query.get("token", ""), None)
            return self._json(200, {"status": "success"} if revoked else {"error": "invalid_code"})
        grant = self._grant(place, headers.get("authorization", ""))
        if grant is None:
            return self._error(401, "INVALID_TOKEN")
        if not self.registered:
            return self._error(400, "PROVIDER_NOT_REGISTERED")
        if rest == "phonebridge/v3/integrate" and method in ("POST", "DELETE") and not body:
            grant.integrated = method == "POST"
            return self._json(200, {**_SUCCESS, "message": "Integration is successful"})
        if not grant.integrated:
            return self._error(400, "PBX_NOT_INTEGRATED")
        if (method, rest) == ("GET", "phonebridge/v3/users"):
            first = (int(query["page"]) - 1) * int(query["perPage"]) if self.turns_pages else 0
            page = self.users[first : first + int(query["perPage"])]
            return self._json(200, {"users": page, "paging": {}, "navigation": {}})
        if (method, rest) == ("POST", "phonebridge/v3/callnotify"):
            return self._notify(form)
        return self._fault(f"no such address: {method} {path}")

    def _log_in(self, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """The person accepts at once, and is led back by the account's own data centre."""
        wanted = {
            "response_type": "code", "access_type": "offline", "client_id": CLIENT_ID,
            "scope": "PhoneBridge.call.log", "prompt": "consent",
        }  # fmt: skip
        wrong = {name for name, value in wanted.items() if query.get(name) != value}
        if wrong or not query.get("state") or not query.get("redirect_uri"):
            return self._fault(f"the log-in is wrong in {wrong}: {query}")
        code = f"1000.{secrets.token_hex(8)}"
        with self._changed:
            self._codes[code] = query["redirect_uri"]
        back = {
            "state": query["state"], "code": code, "location": self.home,
            "accounts-server": f"{self.url}/{self.home}",
        }  # fmt: skip
        return 302, {"Location": f"{query['redirect_uri']}?{urlencode(back)}"}, b""

    def _token(self, place: str, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if form.get("client_id") != CLIENT_ID or place != self.home:
            return self._json(200, {"error": "invalid_client"})
        if form.get("client_secret") != CLIENT_SECRET:
            return self._json(200, {"error": "invalid_client_secret"})
        with self._changed:
            if form.get("grant_type") == "authorization_code":
                if self._codes.pop(form.get("code", ""), None) != form.get("redirect_uri"):
                    return self._json(200, {"error": "invalid_code"})
                grant = Grant(place)
                self._grants[grant.refresh_token] = grant
            elif form.get("grant_type") == "refresh_token":
                found = self._grants.get(form.get("refresh_token", ""))
                if found is None:
                    return self._json(200, {"error": "invalid_code"})
                grant = found
                now_s = time.monotonic()
                self.refreshes.append(now_s)
                if len([at_s for at_s in self.refreshes if now_s - at_s < 600]) > 10:
                    described = (
                        "You have made too many requests continuously. Please try again after some time."
                    )
                    return self._json(400, {"error": "Access Denied", "error_description": described})
            else:
                return self._fault(f"no such grant_type: {form}")
            token = f"1000.{secrets.token_hex(12)}"
            grant.tokens[token] = time.monotonic() + self.expires_in
        answer = {
            "access_token": token, "api_domain": f"{self.url}/{place}-api", "token_type": "Bearer",
            "expires_in": self.expires_in,
        }  # fmt: skip
        if form["grant_type"] == "authorization_code":
            answer["refresh_token"] = grant.refresh_token
        return self._json(200, answer)

    def _grant(self, place: str, authorization: str) -> Grant | None:
        word, _, token = authorization.partition(" ")
        if word != "Zoho-oauthtoken":
            return None
        with self._changed:
            for grant in self._grants.values():
                if place == f"{grant.data_center}-api" and grant.tokens.get(token, 0) > time.monotonic():
                    return grant
        return None

    def _notify(self, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        time.sleep(self.notice_s)
        with self._changed:
            if self.plan:
                return self.plan.pop(0)
        missing = [name for name in ("type", "state", "id", "from", "to") if not form.get(name)]
        if missing:
            self.faults.append(f"missing: {missing}")
            return self._error(400, "REQUIRED_PARAM_MISSING")
        ended = form["state"] not in ("ringing", "answered")
        faults = [
            form["state"] not in _STATES.get(form["type"], ()) and "no such state",
            not set(form) <= {"type", "state", "id", "from", "to"} | _OPTIONAL and "unknown parameter",
            ended and not _GMT.fullmatch(form.get("start_time", "")) and "start_time",
            form["state"] == "ended" and not form.get("duration", "").isdigit() and "duration",
            form.get("zohouser", "z10") not in [user["zohouser"] for user in self.users] and "zohouser",
        ]
        if any(faults):
            return self._fault(f"{[*filter(None, faults)]} in {form}")
        with self._changed:
            self.notices.append(form)
            self._changed.notify_all()
        return self._json(200, _SUCCESS)

    def _form(self, method: str, headers: dict[str, str], body: str) -> dict[str, str]:
        if method == "POST" and body and headers.get("content-type") != "application/x-www-form-urlencoded":
            self.faults.append(f"content type {headers.get('content-type')}")
        # A plus that is not encoded arrives as a blank.
        return {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}

    def _fault(self, why: str) -> tuple[int, dict[str, str], bytes]:
        self.faults.append(why)
        return self._error(400, "SC_BAD_REQUEST")

    def _error(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        return self._json(status, {"code": code, "details": {}, "message": code.lower(), "status": "error"})

    @staticmethod
    def _json(status: int, value: Any) -> tuple[int, dict[str, str], bytes]:
        return status, {}, json.dumps(value).encode()
