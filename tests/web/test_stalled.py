"""Callers who send half a request, or none, and callers who do not hang up, cost the hook nothing."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest
from machine import Appliance
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

Place = tuple[str, str]
HALVES = {
    "nothing": b"",
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
        assert time.monotonic() - began < 1.5
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
    one = b"GET /healthz HTTP/1.1\r\nHost: spoke\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: spoke\r\nConnection: close\r\n\r\n"
    with callers(appliance, one + last, 1) as (caller,):
        assert answer(caller).count(" 200 OK") == 2
