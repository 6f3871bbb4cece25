"""Requests over kept connections and new ones: what goes out, what is repeated, what ends with a stop."""

import socket
import threading

import pytest
from raw_receiver import BODY, CLOSE, HANG, MESSAGE, OK, RESET, Serve, attempt, sender_to

from webhooks.outbound.deadline import Deadline
from webhooks.outbound.sender import Message, Outcome


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(serve: Serve, end: str) -> None:
    """Closed by the time of the next request, or only when that has come."""
    receiver = serve([OK, end], [OK], [end], [OK])
    with sender_to(receiver.url()) as sender:
        assert all(attempt(sender).delivered for _ in range(3))
    # The third request came over the kept connection, and again over a new one.
    assert (len(receiver.requests), receiver.connections) == (4, 3)


def test_a_request_goes_out_again_once_only_and_not_after_a_byte_of_an_answer(serve: Serve) -> None:
    receiver = serve([OK], [CLOSE])
    with sender_to(receiver.url()) as sender:
        attempt(sender)
        assert "closed the connection" in (attempt(sender).error or "")
    assert len(receiver.requests) == 3
    receiver = serve([OK], [b"HTTP", CLOSE], [OK])
    with sender_to(receiver.url()) as sender:
        attempt(sender)
        assert "closed the connection" in (attempt(sender).error or "")
    assert len(receiver.requests) == 2


def test_what_comes_unasked_is_no_answer_to_the_next_request(serve: Serve) -> None:
    receiver = serve([OK], [OK])
    with sender_to(receiver.url()) as sender:
        attempt(sender)
        late = receiver._callers[0]
        late.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        late.shutdown(socket.SHUT_WR)
        assert attempt(sender).http_status == 200
    assert receiver.connections == 2


def test_an_answer_to_a_body_that_was_not_read_counts() -> None:
    """The receiver reads the head, answers and resets, while much of the body is still to be sent."""
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, sender_to(f"http://localhost:{listening.getsockname()[1]}/") as sender:

        def refuse() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(100)
                caller.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        outcome = sender.send(Message(1, 1, MESSAGE.message_id, "x" * (64 << 20)), Deadline(20))
        thread.join()
    assert outcome.http_status == 413 and not outcome.broken


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", "/"),
        ("?x=1", "/?x=1"),
        ("/a/../b//c;d?sig=%2f%7E%zz+b[1]~*'()!$,:@", "/a/../b//c;d?sig=%2f%7E%zz+b[1]~*'()!$,:@"),
        ("/?q={a|b}", "/?q=%7Ba%7Cb%7D"),
        ("//x?", "//x?"),
        ("/ü?ß=é#part", "/%C3%BC?%C3%9F=%C3%A9"),
    ],
)  # fmt: skip
def test_path_and_query_go_out_byte_for_byte(serve: Serve, path: str, line: str) -> None:
    receiver = serve([OK])
    with sender_to(receiver.url(path)) as sender:
        assert attempt(sender).delivered
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[:2] == [f"POST {line} HTTP/1.1", f"Host: localhost:{receiver.port}"]
    assert body.decode() == BODY and f"Content-Length: {len(body)}" in lines


def test_an_ipv6_address_is_called_and_named_in_brackets(serve: Serve) -> None:
    try:
        receiver = serve([OK], host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with sender_to(f"http://[::1]:{receiver.port}/x") as sender:
        assert attempt(sender).delivered
    assert f"\r\nHost: [::1]:{receiver.port}\r\n".encode() in receiver.requests[0]


def test_a_stop_breaks_an_attempt_off_at_once(serve: Serve) -> None:
    receiver = serve([HANG])
    with sender_to(receiver.url()) as sender:
        deadline = Deadline(60)
        outcomes: list[Outcome] = []
        thread = threading.Thread(target=lambda: outcomes.append(sender.send(MESSAGE, deadline)))
        thread.start()
        while not receiver.requests:
            thread.join(0.01)
        deadline.abort()
        thread.join(20)
    assert outcomes[0].interrupted and outcomes[0].duration_s < 60


def test_a_sender_that_is_closed_keeps_no_connection(serve: Serve) -> None:
    receiver = serve([OK])
    with sender_to(receiver.url()) as sender:
        sender.close()
        attempt(sender)
        attempt(sender)
    assert receiver.connections == 2
