"""Whose threads a request gets: those for events, or the pages'."""

from types import SimpleNamespace
from typing import Any

import pytest

from webhooks.runtime.webserver import _is_ingest


@pytest.mark.parametrize(
    ("method", "path", "is_ingest"),
    [
        ("POST", "/api/events", True),
        ("POST", "/api/events/t/TOKEN", True),
        ("POST", "/api/media", True),
        ("GET", "/api/media/download/1", True),
        ("GET", "/api/pbx/phones/t/TOKEN/ringing", True),
        ("GET", "/api/events", False),
        ("GET", "/api/deliveries", False),
        ("POST", "/api/webhooks", False),
        ("GET", "/", False),
    ],
)
def test_the_api_has_the_places_of_the_pages(method: str, path: str, is_ingest: bool) -> None:
    request: Any = SimpleNamespace(command=method, path=path)
    assert _is_ingest(request) is is_ingest
