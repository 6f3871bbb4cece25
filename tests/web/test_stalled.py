"""Callers who send half a request, or none, and callers who do not hang up, cost the hook nothing."""

import contextlib
import json
import resource
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from appliance import Appliance, Place, eventually
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

ONE = b"GET /healthz HTTP/1.1\r\nHost: spoke\r\n\r\n"
HALVES = {
    "nothing": b"",
    "one and half of a second": ONE + ONE[:20],
    "half a head": b"POST /api/events HTTP/1.1\r\nHost: spoke\r\nContent-Le",
    "half a body": b"POST /api/events HTTP/1.1\r\nHost: spoke\r\nContent-Length: 100\r\n\r\n{",
    "half a form": b"POST /login HTTP/1.1\r\nHost: spoke\r\nContent-Length: 100\r\n\r\npassword=",
}


@contextlib.contextmanager
def callers(appliance: Appliance, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.create_connection(("127.0.0.1", appliance.port), 15)))
            made[-1].sendall(sent)
        yield made


def answer(caller: socket.socket) -> str:
    """All that comes until the other end hangs up."""
    pieces = []
    while piece := caller.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces).decode()


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_a_hundred_that_stall_keep_nobody_out(
    appliance: Appliance, receiver: Receiver, place: Place, sent: bytes
) -> None:
    appliance.webhook(place[0], receiver.url("/hook"))
    with callers(appliance, sent, 100):
        began = time.monotonic()
        for number in range(1, 11):
            assert appliance.event(place[1], type="incoming_call", subtype="ringing").status_code == 202
            receiver.wait("/hook", number)
        assert time.monotonic() - began < 4, "they had to wait until the others were given up"


def test_a_hundred_that_do_not_hang_up_keep_nobody_out(appliance: Appliance) -> None:
    with callers(appliance, b"GET /healthz HTTP/1.0\r\n\r\n", 100) as silent:
        began = time.monotonic()
        for _ in range(10):
            assert appliance.get("/healthz").status_code == 200
        assert time.monotonic() - began < 5
        assert all(" 200 " in answer(one).splitlines()[0] for one in silent)


def test_a_request_that_comes_byte_by_byte_is_answered(appliance: Appliance, place: Place) -> None:
    body = json.dumps({"type": "incoming_call", "subtype": "ringing", "from_name": "Ünïcødé ☎"}).encode()
    head = f"POST /api/events HTTP/1.1\r\nHost: spoke\r\nAuthorization: Bearer {place[1]}\r\n"
    kind = f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with callers(appliance, b"", 1) as (caller,):
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in (head + kind).encode() + body:
            caller.sendall(bytes([byte]))
            time.sleep(0.001)
        assert " 202 " in answer(caller).splitlines()[0]


@pytest.mark.parametrize("sent", [HALVES["half a head"], HALVES["half a body"]], ids=["head", "body"])
def test_half_a_request_is_given_up_with_408(appliance: Appliance, sent: bytes) -> None:
    with callers(appliance, sent, 1) as (caller,):
        head, _, body = answer(caller).partition("\r\n\r\n")
    assert " 408 " in head.splitlines()[0] and json.loads(body)["status"] == 408


def test_a_head_without_end_is_refused(appliance: Appliance) -> None:
    with callers(appliance, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 1) as (caller,):
        assert " 431 " in answer(caller).splitlines()[0]


def test_two_requests_in_one_piece_are_both_answered(appliance: Appliance) -> None:
    last = b"GET /healthz HTTP/1.1\r\nHost: spoke\r\nConnection: close\r\n\r\n"
    with callers(appliance, ONE + last, 1) as (caller,):
        assert answer(caller).count(" 200 OK") == 2


def test_long_bodies_that_stop_have_a_few_places_and_keep_nobody_out(
    start_appliance: Callable[..., Appliance],
) -> None:
    """A PBX that lost its network: a good token, no end of the connection."""
    one = start_appliance()
    token = one.location("Office")
    head = f"POST /api/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\n"
    long = (head + "Content-Length: 900000\r\n\r\n[").encode()
    chunked = (head + "Transfer-Encoding: chunked\r\n\r\nfffff\r\n").encode() + b" " * 100_000
    with callers(one, long, 20) as some, callers(one, chunked, 20) as others:
        began = time.monotonic()
        for _ in range(10):
            assert one.event(token, type="incoming_call", subtype="ringing").status_code == 202
        assert time.monotonic() - began < 10
        refused = 0
        for caller in (*some, *others):
            caller.settimeout(0.5 if refused else 10)
            with contextlib.suppress(TimeoutError):
                refused += b" 503 " in caller.recv(4000)
        assert 20 <= refused < 40
    body = json.dumps([{"type": "incoming_call", "subtype": "ringing", "x": "x" * 100_000}])
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    eventually(lambda: one.post("/api/events", data=body, headers=headers).status_code == 202)


def test_who_takes_no_answers_gets_no_threads_for_more(appliance: Appliance) -> None:
    big = b"GET /static/app.css HTTP/1.1\r\nHost: spoke\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            caller = stack.enter_context(socket.socket())
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", appliance.port))
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.send(big * 2_000)
        began = time.monotonic()
        for _ in range(5):
            assert appliance.get("/healthz", timeout=10).status_code == 200
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("token", ["right", "wrong"])
def test_a_caller_who_expects_to_be_asked_is_asked_if_the_token_is_right(
    appliance: Appliance, place: Place, token: str
) -> None:
    body = json.dumps([{"type": "incoming_call", "subtype": "ringing", "x": "x" * 100_000}]).encode()
    head = f"POST /api/events HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\nConnection: close\r\nAuthorization: Bearer "
    with callers(appliance, f"{head}{place[1] if token == 'right' else 'x'}\r\n\r\n".encode(), 1) as (
        caller,
    ):
        first = caller.recv(25)
        if token == "wrong":
            assert first.startswith(b"HTTP/1.1 401 ")
            return
        assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(body)
        assert answer(caller).startswith("HTTP/1.1 202 ")


TWO_WAYS = {
    "length and coding": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two codings": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding with a blank": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "coding after a tab": "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "same length twice": "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "signed length": "Content-Length: +5\r\n\r\nhello",
    "folded": "X: a\r\n b\r\n\r\n",
    "folded length": "Content-Length:\r\n 5\r\n\r\nhello",
    "bare line feed": "X: a\nContent-Length: 5\r\n\r\nhello",
    "bare carriage return": "X: a\rContent-Length: 5\r\n\r\nhello",
    "two hosts": "Host: b\r\n\r\n",
    "a thousand fields": "X: a\r\n" * 1000 + "\r\n",
}


@pytest.mark.parametrize("rest", TWO_WAYS.values(), ids=TWO_WAYS)
def test_what_can_be_read_in_two_ways_is_refused_and_the_connection_ends(
    appliance: Appliance, rest: str
) -> None:
    with callers(appliance, f"POST /api/events HTTP/1.1\r\nHost: a\r\n{rest}".encode("latin-1"), 1) as (one,):
        head, _, body = answer(one).partition("\r\n\r\n")
    assert head.split()[1] in ("400", "501") and json.loads(body)["status"] in (400, 501)


@pytest.mark.parametrize("line", ["POST /api/events HTTP/2.0", "GET /healthz", "GET /healthz HTTP/0.9"])
def test_another_protocol_is_refused(appliance: Appliance, line: str) -> None:
    with callers(appliance, f"{line}\r\nHost: a\r\n\r\n".encode(), 1) as (one,):
        assert " 400 " in answer(one).splitlines()[0]


@pytest.mark.parametrize("target", [b"/\xff", b"/?a=\xff", b"//x?a=\xff"])
def test_an_address_that_is_not_percent_encoded_is_refused(appliance: Appliance, target: bytes) -> None:
    with callers(appliance, b"GET %b HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n" % target, 1) as (one,):
        assert " 400 " in answer(one).splitlines()[0]


def test_where_few_files_may_be_open_the_oldest_idle_caller_makes_way(
    start_appliance: Callable[..., Appliance],
) -> None:
    one = start_appliance()
    token = one.location("Office")
    for process in one.named("spoke: web-"):
        process.kill()  # the next ones begin with the limit
    assert one.process is not None
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (256, 256))
    eventually(lambda: len(one.named("spoke: web-")) == 2)
    for process in one.named("spoke: web-"):
        process.kill()
    eventually(lambda: one.answers("/readyz") and len(one.named("spoke: web-")) == 2)
    lines = one.log.count("\n")
    web = {process.pid for process in one.named("spoke: web-")}
    with callers(one, ONE, 900):
        for _ in range(10):
            assert one.event(token, type="incoming_call", subtype="ringing").status_code == 202
        busy = sum(process.cpu_percent(1) for process in one.named("spoke: web-")) / 2
        assert busy < 50, "a busy loop"
    assert {process.pid for process in one.named("spoke: web-")} == web
    assert one.log.count("\n") - lines < 10
