"""What Zapier is told of a webhook's end: one request to its address, whatever that does with it."""

import pytest
from raw_receiver import CLOSE, HANG, Script, Serve

from webhooks.outbound import unsubscribe
from webhooks.outbound.unsubscribe import Unsubscriber
from webhooks.settings import Settings

SETTINGS = Settings(_env_file=None, allow_nets="127.0.0.0/8")  # type: ignore[call-arg,arg-type]


def answer(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", "")).encode()


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "404 Not Found", "405 No", "410 Gone"])
def test_a_subscriber_that_knows_it_or_knows_nothing_of_it_is_done_with(serve: Serve, status: str) -> None:
    zap = serve((answer(status),))
    assert Unsubscriber(SETTINGS).send(zap.url("/hooks/1")) is None
    assert zap.requests[0].startswith(b"DELETE /hooks/1 HTTP/1.1\r\n")


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    elsewhere = serve((answer("200 OK"),))
    zap = serve((answer("302 Found", f"Location: {elsewhere.url()}"),))
    assert Unsubscriber(SETTINGS).send(zap.url()) == "It answered 302."
    assert elsewhere.connections == 0


@pytest.mark.parametrize("script", [(HANG,), (b"HTTP/1.1 ", HANG)])
def test_a_subscriber_that_hangs_is_given_up_at_the_deadline(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setattr(unsubscribe, "TIMEOUT_S", 0.3)
    error = Unsubscriber(SETTINGS).send(serve(script).url())  # else it would hang for ever
    assert error and error.startswith("No complete answer")


def test_what_breaks_is_told_in_a_sentence(serve: Serve) -> None:
    error = Unsubscriber(SETTINGS).send(serve((CLOSE,)).url())
    assert error and error.startswith("The receiver closed the connection")
    strict = Unsubscriber(Settings(_env_file=None))  # type: ignore[call-arg]
    refused = strict.send(serve((HANG,)).url())
    assert refused and "SPOKE_ALLOW_NETS" in refused


def test_an_internal_error_is_the_failure_of_its_address_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised, it would be asked for again for ever: what gives up after a day is the failure that is told."""

    def broken(*_: object) -> None:
        raise ValueError("nobody thought of it")

    monkeypatch.setattr(unsubscribe, "wire_url", broken)
    error = Unsubscriber(SETTINGS).send("http://127.0.0.1:9/hooks/1")
    assert error and "ValueError: nobody thought of it" in error


def test_a_url_that_cannot_be_called_is_said_with_one_full_stop() -> None:
    assert Unsubscriber(SETTINGS).send("https://.example/x") == (
        "The URL cannot be called: URL has an invalid label."
    )
