"""A webhook's own options, validated: each refusal names the option and what would be right."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import Invalid
from webhooks.outbound.options import Options
from webhooks.services.parsing import parse


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"concurrency": 0}, "“Requests at a time” has to be at least 1."),
        ({"concurrency": 65}, "“Requests at a time” has to be at most 64."),
        ({"rate": 0}, "“Requests a second” has to be more than 0"),
        ({"rate": 10_001}, "“Requests a second” has to be at most 10,000"),
        ({"timeout": 26}, "“Timeout in seconds” has to be at most 25"),
        ({"max_age": 10**9}, "“Maximum age in seconds” has to be at most 31,536,000."),
        ({"ca": "x"}, "“Certificate authority” "),
        ({"headers": {"X Y": "z"}}, "'X Y' is no header name."),
        ({"headers": {"Content-Type": "z"}}, "The header Content-Type is set by the appliance."),
        ({"headers": {"webhook-ID": "z"}}, "The header webhook-ID is set by the appliance."),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "A header is given twice."),
        ({"headers": {f"X-{n}": "1" for n in range(21)}}, "At most 20 headers"),
        ({"colour": "red"}, "“colour” is not known here."),
    ],
)
def test_a_value_that_is_wrong_is_refused_with_what_is_right(values: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(Options, values)
    assert str(refusal.value).startswith(says)


@given(value=st.text(max_size=40))
def test_no_headers_value_can_end_its_line(value: str) -> None:
    try:
        options = parse(Options, {"headers": {"X-A": value}})
    except Invalid:
        return
    assert options.headers["X-A"] == value == value.strip(" \t")
    assert value.encode("latin-1") and not set("\r\n\0") & set(value)


@given(name=st.text(max_size=40))
def test_no_headers_name_can_end_its_line_or_take_the_appliances_place(name: str) -> None:
    try:
        options = parse(Options, {"headers": {name: "1"}})
    except Invalid:
        return
    assert not set(" :\r\n\0") & set(name) and name.isascii()
    assert name.lower() not in ("host", "content-length", "webhook-signature") and name in options.headers


def test_headers_are_shown_by_name_only() -> None:
    options = parse(Options, {"headers": {"X-Api-Key": "sesame"}})
    assert options.shown()["headers"] == {"X-Api-Key": "•••"} and "sesame" not in str(options.shown())


def test_the_maximum_age_is_compared_in_milliseconds() -> None:
    assert (Options(max_age=3).max_age_ms, Options().max_age_ms) == (3000, None)


@pytest.mark.parametrize(
    "text", ["no certificate", "é", "-----BEGIN CERTIFICATE-----\né\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="PEM"):
        parse(Options, {"ca": text})
