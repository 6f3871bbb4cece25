"""What a peer says is cleaned, waited for and explained: pure functions, each with the right value."""

import logging
import socket
import ssl
from datetime import UTC, datetime

import pytest

from webhooks.cleaning import clean, clean_lines, fit
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.explain import explain, status_line_sentence, tls_sentence
from webhooks.outbound.retry_after import retry_after_s
from webhooks.runtime.logs import Formatter, as_json, as_text


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        ("Grüße, 你好 🙂", "Grüße, 你好 🙂", "Grüße, 你好 🙂"),
        ("a\0b", "a\ufffdb", "a\ufffdb"),
        ("\x1b[2J\x07\x7f\x9b", "\ufffd[2J\ufffd\ufffd\ufffd", "\ufffd[2J\ufffd\ufffd\ufffd"),
        ("a\r\nb\rc\td", "a  b c d", "a\nb\nc\td"),
        ("a\u2028b\x85c", "a b c", "a\nb\nc"),
        ("\u202egnp.exe\u2066\u200f", "\ufffdgnp.exe\ufffd\ufffd", "\ufffdgnp.exe\ufffd\ufffd"),
        ("\ud800\ufeff\uffff", "\ufffd\ufffd\ufffd", "\ufffd\ufffd\ufffd"),
    ],
)
def test_text_from_outside_is_fit_to_keep_and_to_show(text: str, line: str, lines: str) -> None:
    assert (clean(text), clean_lines(text)) == (line, lines)
    assert fit(line) and fit(clean(lines))


def test_a_log_record_is_one_line_without_controls() -> None:
    record = logging.makeLogRecord({"msg": "said %s", "args": ("a\x1b[31m\r\nfake\u202e",), "levelno": 20})
    assert Formatter("web", as_text).format(record).endswith(" web said a\ufffd[31m  fake\ufffd")
    try:
        raise ValueError("\x1b]0;owned\x07")
    except ValueError as error:
        record = logging.makeLogRecord(
            {
                "msg": "x",
                "levelno": 40,
                "levelname": "ERROR",
                "exc_info": (ValueError, error, error.__traceback__),
            }
        )
    assert not set("\x1b\x07") & set(
        Formatter("web", as_text).format(record) + Formatter("web", as_json).format(record)
    )


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["15"], 15), (["0"], 0), ([" 7\t"], 7), (["86401"], 86_400), (["9999999999"], 86_400),
        (["5", "5"], 5),
        (["Wed, 25 Nov 2026 12:00:10 GMT"], 10), (["Wednesday, 25-Nov-26 12:00:10 GMT"], 10),
        (["Wed Nov 25 12:00:10 2026"], 10), (["Fri, 31 Dec 9999 23:59:59 GMT"], 86_400),
        # nonsense
        ([], None), ([""], None), (["-5"], None), (["+5"], None), (["1.5"], None), (["soon"], None),
        (["9" * 400], None), (["1e3"], None), (["٣٠"], None), (["²"], None), (["３０"], None),
        (["5, 10"], None),
        (["5", "10"], None), (["5\x1b"], None), (["5\0"], None), (["\n5"], None), (["0x10"], None),
        (["Fri, 01 Jan 99999999999 00:00:00 GMT"], None), (["Wed, 25 Nov 2026 11:59:59 GMT"], None),
        (["Mon, 99 Foo 2020 00:00:00 GMT"], None), (["Fri, 01 Jan 2027 00:00:00 +9999999999"], None),
        (["Fri, 01 Jan 2027 25:61:61 GMT"], None), (["Fri, 00 Jan 0000 00:00:00 GMT"], None),
        (["1" * 61], None), (["Wed, 25 Nov 2026 12:00:10 GMT, 15"], None),
    ],
)  # fmt: skip
def test_retry_after_is_at_most_a_day_and_nonsense_is_ignored(
    values: list[str], seconds: float | None
) -> None:
    assert retry_after_s(429, values, NOW) == retry_after_s(503, values, NOW) == seconds
    assert retry_after_s(500, values, NOW) is retry_after_s(200, values, NOW) is None


def verification(code: int, message: str = "x") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("code", "says", "advice"),
    [
        (18, "self-signed", "--ca"), (19, "authority is not known", "--ca"),
        (20, "authority is not known", "--no-verify"), (21, "authority is not known", "--ca"),
        (10, "expired", "renew"), (9, "not valid yet", "clock"), (62, "another name", "by a name"),
        (64, "not for the address", "by the name"), (23, "revoked", "renew"), (66, "too short", "renew"),
        (999, "strange \ufffd thing", ""),
    ],
)  # fmt: skip
def test_a_certificate_that_fails_is_told_with_what_to_do(code: int, says: str, advice: str) -> None:
    sentence = tls_sentence(verification(code, "strange \x1b thing"))
    assert sentence.startswith("The receiver's certificate cannot be trusted: ")
    assert says in sentence and advice in sentence and sentence.endswith(".")


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("WRONG_VERSION_NUMBER", "does not speak TLS at this port: let the webhook's URL begin with http://"),
        ("RECORD_LAYER_FAILURE", "does not speak TLS"), ("HTTP_REQUEST", "does not speak TLS"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "demands a client certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "demands a client certificate, or"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "not safe any more"), ("UNSUPPORTED_PROTOCOL", "not safe any more"),
        ("TLSV1_UNRECOGNIZED_NAME", "does not know the host name"),
        ("SOMETHING_ELSE", "(OpenSSL: something else)"),
    ],
)  # fmt: skip
def test_a_handshake_that_fails_is_told_with_what_to_do(reason: str, says: str) -> None:
    error = ssl.SSLError(1, "[SSL] x (_ssl.c:1)")
    error.reason = reason
    assert says in tls_sentence(error)


def test_a_handshake_that_just_ends_is_told() -> None:
    error = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert "closed the connection in the TLS handshake" in tls_sentence(error)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("\x15\x03\x01\x00\x02\x02F", "speaks TLS at this port: let the webhook's URL begin with https://"),
        ("\x16\x03\x03\x00z", "speaks TLS"), ("SSH-2.0-x\x1b[1m", "it begins with “SSH-2.0-x\ufffd[1m”"),
        ("\0" * 500, "“" + "\ufffd" * 60 + "”"), ("", "is not HTTP."),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_http_is_told(line: str, says: str) -> None:
    assert says in status_line_sentence(line)


def test_what_a_library_quotes_of_a_peer_is_cleaned() -> None:
    deadline = Deadline(10)
    quoted = explain(OSError("got b'\x1b]0;\x07\0'" + "x" * 5000), deadline, 10)
    assert fit(quoted) and quoted.startswith("The request failed: got b'") and len(quoted) < 600
    assert explain(TimeoutError(), deadline, 7.5) == "No complete answer within 7.5 seconds."
    assert "nothing listens" in explain(ConnectionRefusedError(), deadline, 1)
    assert "cannot be reached: No route" in explain(OSError(113, "No route to host"), deadline, 1)
    assert "cannot be reached" in explain(socket.gaierror(-2, "Name or service not known"), deadline, 1)
