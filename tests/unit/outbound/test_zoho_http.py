"""Requests to Zoho: a deadline holds for the whole of each, and no answer is too odd to be read."""

import pytest
from raw_receiver import DRIP, HANG, Script, Serve

from webhooks.errors import AttemptError
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.zoho_http import ZohoAnswer, caller_for_people
from webhooks.settings import Settings

SETTINGS = Settings(_env_file=None, allow_nets="127.0.0.0/8")  # type: ignore[call-arg,arg-type]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("script", [(HANG,), (b"HTTP/1.1 200 OK\r\nX: ", b"x", DRIP), (HEAD, b"x", DRIP)])
def test_an_accounts_server_that_hangs_or_drips_ends_with_the_deadline(serve: Serve, script: Script) -> None:
    caller = caller_for_people(SETTINGS)
    with pytest.raises((TimeoutError, AttemptError)):  # else it would hang for ever
        caller.call("POST", serve(script).url(), Deadline(0.3), form={"code": "1"})


def test_a_form_goes_out_with_its_plus_encoded_and_its_answer_is_read(serve: Serve) -> None:
    zoho = serve((b'HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"a":"b"}',))
    answer = caller_for_people(SETTINGS).call("POST", zoho.url("/x"), Deadline(10), form={"to": "+1 2"})
    assert (answer.status, answer.fields) == (201, {"a": "b"})
    (request,) = zoho.requests
    assert request.startswith(b"POST /x HTTP/1.1\r\n") and request.endswith(b"\r\n\r\nto=%2B1+2")
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in request


def test_an_address_that_the_rules_forbid_is_not_called(serve: Serve) -> None:
    zoho = serve((HANG,))
    strict = caller_for_people(Settings(_env_file=None))  # type: ignore[call-arg]
    with pytest.raises(AttemptError, match="SPOKE_ALLOW_NETS"):
        strict.call("GET", zoho.url(), Deadline(10))
    assert zoho.connections == 0


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", "[" * 100_000, '{"a":' * 100_000])
def test_an_answer_that_is_no_json_object_has_no_fields(text: str) -> None:
    assert ZohoAnswer(200, {}, text).fields == {}
