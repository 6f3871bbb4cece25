"""A program that uses the API with a key."""

import time
import uuid
from typing import Any

import requests
from appliance import Appliance


class Client:
    """``key``: the text of an API key; None sends none."""

    def __init__(self, appliance: Appliance, key: str | None) -> None:
        self._url = appliance.url
        self._session = requests.Session()
        self._session.trust_env = False
        if key is not None:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        address = path if path.startswith("http") else f"{self._url}/api{path}"
        return self._session.request(method, address, timeout=10, allow_redirects=False, **more)

    def made(self, path: str, status: int = 201, **body: Any) -> Any:
        """POST a body; the answer's JSON, if its status is as it should be."""
        answer = self("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def listed(self, path: str, **query: Any) -> list[Any]:
        """All items of a list, over all its pages."""
        items: list[Any] = []
        answer = self._patiently(path, params=query)
        while True:
            assert answer.status_code == 200, answer.text
            items += answer.json()
            following = answer.links.get("next")
            if following is None:
                return items
            answer = self._patiently(following["url"])

    def _patiently(self, path: str, **more: Any) -> requests.Response:
        """GET, and again once the key may: many short pages come faster than its limit."""
        while (answer := self("GET", path, **more)).status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
        return answer


def new_key(appliance: Appliance, *options: str) -> str:
    """Add an API key; its text."""
    return str(appliance.cli("key", "add", f"key {uuid.uuid4()}", *options)["key"])
