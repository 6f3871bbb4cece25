"""What Zoho answers, read: tokens that can be used, and sentences for what cannot."""

import json
from typing import Any

import pytest

from webhooks.errors import ZohoFailed
from webhooks.outbound.zoho_http import ZohoAnswer
from webhooks.outbound.zoho_tokens import access_of
from webhooks.outbound.zoho_words import is_success, refusal


def granted(**fields: Any) -> ZohoAnswer:
    return ZohoAnswer(200, {}, json.dumps(fields))


@pytest.mark.parametrize(
    ("expires", "expires_s"), [(60, 60), (None, 3600), ("60", 3600), (0, 3600), (10**9, 3600)]
)
def test_a_token_holds_for_as_long_as_zoho_says_or_an_hour(expires: Any, expires_s: int) -> None:
    assert access_of(granted(access_token="1000.ab-_", expires_in=expires)) == ("1000.ab-_", expires_s)


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "a\r\nX-Admin: 1", "ü", "\0", "a" * 5000, 7, None, {}])
def test_a_token_that_no_header_can_hold_is_none(token: Any) -> None:
    with pytest.raises(ZohoFailed, match="no token"):
        access_of(granted(access_token=token))


@pytest.mark.parametrize(
    ("status", "text"), [(200, "<html>Sign in</html>"), (204, ""), (302, ""), (200, "[]"), (200, "{}")]
)
def test_what_is_no_answer_of_phonebridge_is_no_success_and_said_to_be_none(status: int, text: str) -> None:
    answer = ZohoAnswer(status, {}, text)
    assert not is_success(answer)
    assert refusal(answer) == f"Zoho answered {status}. That is no answer of PhoneBridge."


def test_a_refusal_tells_zohos_code_and_what_it_means() -> None:
    answer = ZohoAnswer(400, {}, '{"code": "PROVIDER_NOT_REGISTERED", "status": "error"}')
    assert refusal(answer).startswith("Zoho answered 400 (PROVIDER_NOT_REGISTERED). Zoho does not know this")
    assert refusal(ZohoAnswer(502, {}, "<html>")) == "Zoho answered 502."
