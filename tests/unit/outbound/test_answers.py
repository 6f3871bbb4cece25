"""What receivers answer, byte for byte: the status line decides, and the attempt tells the rest."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_receiver import CLOSE, DRIP, HANG, OK, RESET, Script, Serve, attempt, sender_to

from webhooks.errors import ConnectionFailed
from webhooks.outbound.answer import Answer
from webhooks.outbound.connection import Connection
from webhooks.outbound.deadline import Deadline

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n"
UNREAD = "[the answer could not be read whole: "
BROKE_OFF = f"{UNREAD}The receiver closed the connection before its answer was whole.]"
HEAD = b"HTTP/1.1 200 OK\r\n"
TWO = b"Content-Length: 2\r\n\r\nok"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\n\r\n"
LONG = b"HTTP/1.1 500 x\r\nContent-Length: 99999999\r\n\r\n"


# The script, its status, what is kept of its body, and whether the connection serves the next request.
ANSWERS: dict[str, tuple[Script, int, str, bool]] = {
    "plain": ([OK], 200, "ok", True),
    "in pieces": ([bytes([one]) for one in OK], 200, "ok", True),
    "100": ([CONTINUE, OK], 200, "ok", True),
    "102, 103 and 100, at once": ([b"HTTP/1.1 102 x\r\n\r\n" + HINTS + CONTINUE + OK], 200, "ok", True),
    "interim answers in pieces": ([bytes([one]) for one in CONTINUE + HINTS + OK], 200, "ok", True),
    "a broken interim answer": ([b"HTTP/1.1 100 x\r\nno header\r\n\r\n" + OK, HANG], 200, "ok[", False),
    "101": ([b"HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\0\1", HANG], 101, "", False),
    "200 headers": ([HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + TWO], 200, "ok", True),
    "a header of 70 kB": ([HEAD + b"X: " + b"y" * 70_000 + b"\r\n" + TWO], 200, "ok", True),
    "endless headers": ([HEAD + b"X: " + b"y" * 300_000, HANG], 200, "longer than 262,144 bytes", False),
    "no header": ([HEAD + b"no header\r\n" + TWO, HANG], 200, f"ok{UNREAD}", False),
    "control characters": ([HEAD + b"X: \x1b\0\r\n" + TWO], 200, "ok", True),
    "LF only": ([b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok"], 200, "ok", True),
    "no reason": ([b"HTTP/1.1 200\r\n" + TWO], 200, "ok", True),
    "length beside chunked": ([HEAD + b"Content-Length: 99\r\n" + CHUNKED], 200, "ok", True),
    "two lengths": ([HEAD + b"Content-Length: 9\r\n" + TWO, HANG], 200, UNREAD, False),
    "chunked, with trailers": ([HEAD + CHUNKED[:-2] + b"Trailer: x\r\n\r\n"], 200, "ok", True),
    "a chunk that is none": ([HEAD + CHUNKED[:-5] + b"zz\r\n", HANG], 200, f"ok{UNREAD}", False),
    "shorter than told": ([OK[:-1], CLOSE], 200, f"o{BROKE_OFF}", False),
    "longer than told": ([OK + b" and more"], 200, "ok", False),
    "another answer behind it": ([OK + OK], 200, "ok", False),
    "HTTP/1.0": ([b"HTTP/1.0 200 OK\r\n\r\nok", CLOSE], 200, "ok", False),
    "HTTP/1.0, kept": ([b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + TWO], 200, "ok", True),
    "no length": ([HEAD + b"\r\no", b"k", CLOSE], 200, "ok", False),
    "close": ([HEAD + b"Connection: close\r\n" + TWO, HANG], 200, "ok", False),
    "offers HTTP/2": ([HEAD + b"Upgrade: h2c\r\nConnection: Upgrade, Keep-Alive\r\n" + TWO], 200, "ok", True),
    "204": ([b"HTTP/1.1 204 x\r\n\r\n"], 204, "", True),
    "204 with a length": ([b"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n"], 204, "", True),
    "204 with a body": ([b"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\nhello"], 204, "", False),
    "a reset behind the status line": ([HEAD, RESET], 200, BROKE_OFF, False),
    "the end in the status line": ([b"HTTP/1.1 200", CLOSE], 200, BROKE_OFF, False),
    "the end in the headers": ([HEAD + b"X: y\r\nZ:", CLOSE], 200, BROKE_OFF, False),
    "a reset in the body": ([HEAD + b"\r\nok", RESET], 200, BROKE_OFF, False),
    "a long body": ([LONG + b"y" * 99_999, HANG], 500, "y" * 16_384, False),
    "gzip": ([HEAD + b"Content-Encoding: gzip\r\n" + TWO[:-2] + b"\x1f\x8b"], 200, "\ufffd\ufffd", True),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_the_status_line_decides_and_the_attempt_tells_the_rest(serve: Serve, name: str) -> None:
    script, status, told, kept = ANSWERS[name]
    receiver = serve(script)
    with sender_to(receiver.url()) as sender:
        outcome = attempt(sender)
        assert outcome.http_status == status and outcome.delivered == (200 <= status < 300), outcome
        assert not outcome.broken and told in (outcome.response_body or "")
        if told in ("", "ok"):
            assert outcome.response_body == told
        assert len(outcome.response_headers or "") < 9_000
        attempt(sender)
        assert (receiver.connections, len(receiver.requests)) == (1 if kept else 2, 2)


@pytest.mark.parametrize(
    ("before", "dripped", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Slow: a\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x", "x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "x"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x", "x"),
    ],
    ids=["headers", "body", "chunks", "close"],
)
def test_what_drips_ends_with_the_deadline_and_its_status_decides(
    serve: Serve, before: bytes, dripped: bytes, told: str
) -> None:
    with sender_to(serve([before, dripped, DRIP]).url(), timeout_s=0.3) as sender:
        outcome = attempt(sender)
    assert outcome.delivered and outcome.http_status == 200 and outcome.duration_s >= 0.3
    assert (outcome.response_body or "").startswith(told)
    assert (outcome.response_body or "").endswith("No complete answer within 0.3 seconds.]")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ([HANG], "No complete answer within 0.3 seconds."),
        ([b"HTTP/1.1 2", HANG], "No complete answer within 0.3 seconds."),
        ([CONTINUE, HANG], "No complete answer within 0.3 seconds."),
        ([b"H", DRIP], "The receiver's answer is not HTTP: it begins with “HH"),
        ([CLOSE], "The receiver closed the connection without an answer."),
        ([RESET], "The receiver closed the connection without an answer."),
        ([CONTINUE, CLOSE], "The receiver closed the connection without an answer."),
        ([b"HTTP/1.1 20", CLOSE], "The receiver closed the connection without an answer."),
        ([b"SSH-2.0-x\x1b[1m\r\n", HANG], "is not HTTP: it begins with “SSH-2.0-x\ufffd[1m”."),
        ([b"\x15\x03\x01\x00\x02\x02F", CLOSE], "The receiver speaks TLS at this port"),
        ([b"HTTP/1.1 abc\r\n\r\n", HANG], "is not HTTP: it begins with “HTTP/1.1 abc”."),
        ([b"HTTP/1.1 2000 OK\r\n\r\n", HANG], "is not HTTP: it begins with “HTTP/1.1 2000 OK”."),
        ([CONTINUE * 20_000, HANG], "The receiver's headers are longer than 262,144 bytes."),
    ],
)
def test_without_a_status_line_it_is_a_broken_attempt(serve: Serve, script: Script, sentence: str) -> None:
    timeout_s = 0.3 if "0.3 seconds" in sentence else 20
    with sender_to(serve(script).url(), timeout_s) as sender:
        outcome = attempt(sender)
    assert outcome.http_status is None and outcome.broken and sentence in (outcome.error or "")


@pytest.mark.parametrize("status", [300, 304, 400, 401, 407, 408, 421, 425, 500, 511, 999])
def test_other_answers_are_plain_failures(serve: Serve, status: int) -> None:
    receiver = serve([b"HTTP/1.1 %d x\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n" % status])
    with sender_to(receiver.url()) as sender:
        outcome = attempt(sender)
    assert (outcome.http_status, outcome.delivered, outcome.broken) == (status, False, False)
    assert len(receiver.requests) == 1 and f"answered {status}" in (outcome.error or "")


def test_headers_of_one_name_are_kept_together_and_trailers_are_none(serve: Serve) -> None:
    head = b"HTTP/1.1 503 x\r\nRetry-After: 7\r\nVary: a\r\nVary: b\r\n"
    receiver = serve([head + CHUNKED[:-2] + b"Retry-After: 9\r\n\r\n"])
    with sender_to(receiver.url()) as sender:
        outcome = attempt(sender)
    assert outcome.retry_after_s == 7
    kept = json.loads(outcome.response_headers or "")
    assert kept == {"Retry-After": "7", "Vary": "a, b", "Transfer-Encoding": "chunked"}


def test_a_retry_after_beside_a_broken_line_counts(serve: Serve) -> None:
    with sender_to(serve([b"HTTP/1.1 503 x\r\nno header\r\nRetry-After: 7\r\n\r\n", HANG]).url()) as sender:
        assert attempt(sender).retry_after_s == 7


class InPieces(Connection):
    """Receives what a test says, and has no socket."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.state = "in use"

    def receive(self, deadline: Deadline) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def release(self) -> None:
        self.state = "idle"

    def close(self) -> None:
        self.state = "closed"


def read(pieces: list[bytes]) -> tuple[object, ...]:
    connection = InPieces(pieces)
    answer = Answer(connection, Deadline(60))
    fault = body = b""
    try:
        answer.read_head()
        while piece := answer.read(3):
            body += piece
    except (ConnectionFailed, OSError) as error:
        fault = type(error).__name__.encode()
    answer.close()
    return answer.status, answer.reason, answer.headers, body, fault, connection.state == "closed"


WHOLE = [
    b"".join(step for step in script if isinstance(step, bytes))
    for script, *_, kept in ANSWERS.values()
    if kept
]


@given(st.sampled_from([one for one in WHOLE if len(one) < 2000]), st.data())
def test_how_an_answer_is_cut_into_pieces_changes_nothing(answer: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1), max_size=8)))
    pieces = [answer[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    assert read(pieces) == read([answer])


LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 100 x", b"\r\n", b"\n", b"A: b", b"\0", b"Content-Length: 3", b"3\r\nabc",
    b"0", b"Transfer-Encoding: chunked", b"x", b":", b" ",
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=20))
def test_whatever_comes_is_an_answer_or_a_failure_and_never_an_error_of_ours(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    status, *_ = read([piece for piece in pieces if piece])
    if whole.startswith(b"HTTP/1.1 200 OK\r\n"):
        assert status == 200
