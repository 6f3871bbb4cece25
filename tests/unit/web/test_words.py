"""Numbers with their nouns, durations, sizes; and which addresses of a browser's are followed."""

import pytest
from flask import Blueprint, Flask

from webhooks.catalogue import counted
from webhooks.web.shared.own_paths import own_address, shown_page
from webhooks.web.ui.filters import capped, capped_counted, size, span


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 deliveries"), (1, "1 delivery"), (2, "2 deliveries"), (1234, "1,234 deliveries")],
)
def test_a_number_goes_with_its_noun(count: int, text: str) -> None:
    assert counted(count, "delivery", "deliveries") == text
    assert capped_counted(count, "delivery", "deliveries") == text


def test_a_count_that_was_not_taken_further_says_so() -> None:
    assert [capped(count) for count in (10_000, 10_001)] == ["10,000", "10,000+"]
    assert capped_counted(10_001, "delivery is", "deliveries are") == "10,000+ deliveries are"
    assert counted(2, "webhook") == "2 webhooks"


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(0, "0 ms"), (999.4, "999 ms"), (1000, "1.0 s"), (59_999, "60.0 s"), (61_000, "0:01:01"),
     (90_000_000, "1 d 1 h")],
)  # fmt: skip
def test_a_duration_has_the_unit_that_fits(duration_ms: float, text: str) -> None:
    assert span(duration_ms) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 40, "3,072.0 GiB"),
    ],
)
def test_a_size_has_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    integrations = Blueprint("integrations", __name__)
    integrations.add_url_rule("/", "index", lambda: "")
    app.register_blueprint(integrations)
    return app


@pytest.mark.parametrize("prefix", ["", "/hooks"])
@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/settings?a=b", "/settings?a=b"), ("/", "/"), (None, "/"), ("", "/"), ("settings", "/"),
        ("//evil.example/", "/"), ("/\\evil.example/", "/"), ("https://evil.example/", "/"), ("/a\nb", "/"),
    ],
)  # fmt: skip
def test_only_a_path_of_ours_is_followed(app: Flask, prefix: str, path: str | None, leads: str) -> None:
    with app.test_request_context("/login", base_url=f"http://pbx.lan{prefix}"):
        assert own_address(path) == prefix + leads


@pytest.mark.parametrize(
    ("referer", "page"),
    [
        ("http://pbx.lan/hooks/settings?a=b", "/settings?a=b"),
        ("http://pbx.lan/hooks", "/"),
        ("http://pbx.lan/hooksother", "/hooksother"),
        ("http://pbx.lan//evil.example/", "/evil.example/"),
        ("http://evil.example/hooks/settings", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_shown_page_is_told_without_our_prefix(app: Flask, referer: str, page: str | None) -> None:
    with app.test_request_context("/theme", base_url="http://pbx.lan/hooks", headers={"Referer": referer}):
        assert shown_page() == page
