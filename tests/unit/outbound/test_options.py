"""A webhook's own options, validated: each refusal names the option and what would be right."""

from typing import Any

import pytest
from certificates import make
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
        ({"rate": 10_001}, "“Requests a second” has to be at most 10000"),
        ({"timeout": 26}, "“Timeout in seconds” has to be at most 25"),
        ({"max_age": 10**9}, "“Maximum age in seconds” has to be at most 31536000."),
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


MADE, OTHER = make("spoke"), make("spoke")


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        (MADE.certificate, None, "A client certificate and its key go together: give both, or neither."),
        (None, MADE.key, "A client certificate and its key go together: give both, or neither."),
        (MADE.certificate, "•••", "The client key has no value yet: write it out."),
        (MADE.certificate, MADE.certificate, "The client key has to be a private key in PEM form."),
        (MADE.certificate, OTHER.key, "The client key does not belong to the client certificate."),
        (MADE.certificate, MADE.locked_key, "The client key has a password. Give it without one"),
        (MADE.certificate, MADE.key[:60], "The client certificate and its key cannot be used (OpenSSL: "),
        ("x", MADE.key, "“Client certificate” has to be a certificate in PEM form."),
    ],
)  # fmt: skip
def test_a_client_certificate_without_its_key_is_refused(
    certificate: str | None, key: str | None, says: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(Options, {"client_certificate": certificate, "client_key": key})
    assert str(refusal.value).startswith(says)


def test_a_client_key_is_shown_nowhere() -> None:
    options = parse(Options, {"client_certificate": MADE.certificate, "client_key": MADE.key})
    assert options.identity == f"{MADE.certificate}\n{MADE.key}"
    assert options.shown()["client_key"] == "•••" and "PRIVATE" not in str(options.shown())
