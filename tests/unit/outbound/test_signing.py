"""Signatures, by our own code and by the library of Standard Webhooks."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.outbound.signing import new_secret, signed_headers

# The example of the specification's own tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_is_that_of_the_specification() -> None:
    headers = signed_headers([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), "whsec_YQ", "YWI="])
@pytest.mark.parametrize("body", ["", BODY, "Grüße, 電話, \U0001f4de"])
def test_the_library_verifies_each_signature(secret: str, body: str) -> None:
    at = int(time.time())
    other = new_secret()
    headers = signed_headers([secret, other], "an id", at, body)
    for key in (secret, other):
        Webhook(key).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


def test_nothing_is_signed_with_an_empty_secret() -> None:
    for secret in ("", "whsec_", "whsec_?"):
        with pytest.raises(ValueError, match="empty"):
            signed_headers([secret], "an id", 1614265330, BODY)
