"""A location that people connect to Zoho on the pages, as a browser does."""

import html
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from appliance import Appliance, Visitor
from zoho.fake_zoho import CLIENT_ID, CLIENT_SECRET, FakeZoho


class Site:
    """A location, its pages, and its Zoho. ``place``: the name and token of one that is there already."""

    def __init__(self, appliance: Appliance, zoho: FakeZoho, place: tuple[str, str] | None = None) -> None:
        self.appliance, self.zoho = appliance, zoho
        if place is None:
            name = f"Office {uuid.uuid4().hex[:8]}"
            place = name, appliance.location(name)
        self.name, self.token = place
        self.id = appliance.location_id(self.name)
        self.visitor = Visitor(appliance)

    @property
    def page(self) -> str:
        return self.visitor.get(f"/locations/{self.id}/zoho").text

    def prepare(self, secret: str = CLIENT_SECRET) -> None:
        answer = self.visitor.post(
            "/zoho/connect", location=self.id, client_id=CLIENT_ID, client_secret=secret, data_center="us"
        )
        assert answer.status_code == 303, answer.text

    def log_in(self) -> requests.Response:
        """To Zoho and back, as a browser goes; the answer of our own callback."""
        query = self.led_back()
        page = self.visitor.get(f"/zoho/callback?{query}")
        assert page.status_code == 200, page.text
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
        return self.visitor.post("/zoho/callback", **{name: html.unescape(value) for name, value in fields})

    def led_back(self) -> str:
        """The query of the address to which Zoho leads a person back."""
        to_zoho = self.visitor.get(f"/locations/{self.id}/zoho/login").headers["Location"]
        back = urlsplit(requests.get(to_zoho, allow_redirects=False, timeout=10).headers["Location"])
        assert back.path == "/zoho/callback"
        return back.query

    def send_back(self, query: str) -> requests.Response:
        """What the page of the callback sends, whoever has made the query."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        fields = {name: given.get(name, "") for name in ("state", "code", "error")}
        return self.visitor.post("/zoho/callback", server=given.get("accounts-server", ""), **fields)

    def connect(self) -> None:
        self.prepare()
        assert self.log_in().status_code == 303
        assert "Connected" in self.page, self.page

    def map(self, extensions: Mapping[str, str]) -> None:
        """Say whose each extension is."""
        fields = {f"user-{user}": extension for extension, user in extensions.items()}
        answer = self.visitor.post(f"/locations/{self.id}/zoho/extensions", **fields)
        assert answer.status_code == 303, answer.text

    def call(self, call: str, *statuses: str) -> None:
        parties: dict[str, Any] = {"from": "+12025550123", "to": "5010"}
        for status in statuses:
            self.appliance.ring(self.token, subtype=status, thread_id=call, **parties)

    def deliveries(self, state: str | None = None) -> list[str]:
        rows = self.appliance.rows(
            "SELECT d.state FROM delivery d JOIN webhook w ON w.id = d.webhook_id WHERE w.location_id = :id"
            " AND w.integration = 'zoho' ORDER BY d.id", id=self.id,
        )  # fmt: skip
        return [row.state for row in rows if state in (None, row.state)]
