"""A receiver that says anything at all, over a bare socket: kept clean, counted, and no harm to others."""

import contextlib
import json
import socket
import threading
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from appliance import Appliance, Place, Visitor, eventually
from receiver import Receiver

ALERT = b"\x15\x03\x01\x00\x02\x02F"  # TLS: fatal, protocol version
HEAD = b"HTTP/1.1 503 \x00\x1b[2J\r\n"
SAYS: dict[str, tuple[bytes, int | None, str]] = {
    "alert": (ALERT, None, "speaks TLS at this port: let the webhook's URL begin with https://"),
    "noise": (b"\x00\x1b]0;x\x07\r\n\r\n", None, "is not HTTP"),
    "location": (b"HTTP/1.1 302 x\r\nLocation: http://a\x00b\x1b[31m\x07/\r\nContent-Length: 0\r\n\r\n",
                 302, "a redirect to http://a\ufffdb\ufffd[31m\ufffd/"),
    "date": (HEAD + b"Retry-After: Fri, 01 Jan 99999999999 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n", 503,
             "answered 503"),
    "body": (b"HTTP/1.1 500 x\r\nX-Y: \x1b\x9b\xe2\x80\xae\r\nContent-Length: 11\r\n\r\n"
             b"\x00\x1b\x07\r\xe2\x80\xae\xffabc",
             500, "answered 500"),
    "chunk": (b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n\x1b\x00zz\r\n", 500, "answered 500"),
}  # fmt: skip


class Bare:
    """Reads a request's head and answers with the same bytes, whatever it was."""

    def __init__(self, says: bytes) -> None:
        self._says = says
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller, contextlib.suppress(OSError):
                caller.settimeout(2)
                got = piece = caller.recv(65536)
                while piece and b"\r\n\r\n" not in got and got[:1] != b"\x16":  # a TLS handshake
                    piece = caller.recv(65536)
                    got += piece
                caller.sendall(self._says)
                caller.shutdown(socket.SHUT_WR)
                caller.settimeout(0.1)  # what is left of the body; unread it would reset the connection
                while caller.recv(65536):
                    pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def bare() -> Iterator[Callable[[bytes], Bare]]:
    made: list[Bare] = []

    def make(says: bytes) -> Bare:
        made.append(Bare(says))
        return made[-1]

    yield make
    for one in made:
        one.close()


def controls(text: str) -> set[str]:
    return {
        one
        for one in text
        if one not in "\n\t" and (unicodedata.category(one) in ("Cc", "Cs") or "\u202a" <= one <= "\u202e")
    }


def test_whatever_a_receiver_says_is_kept_clean_and_told_and_counted(
    appliance: Appliance, receiver: Receiver, place: Place, bare: Callable[[bytes], Bare]
) -> None:
    workers = {one.pid for one in appliance.named("worker-")}
    hooks: dict[str, Any] = {}
    for name, (says, _, _) in SAYS.items():
        hooks[name] = appliance.webhook(place[0], f"http://127.0.0.1:{bare(says).port}/")["id"]
    hooks["plain"] = appliance.webhook(place[0], f"https://127.0.0.1:{bare(HEAD).port}/")["id"]
    appliance.webhook(place[0], receiver.url("/well"))
    thread = str(uuid.uuid4())
    appliance.event(place[1], type="incoming_call", subtype="ringing", thread_id=thread)

    def log(name: str) -> list[Any]:
        return appliance.rows(
            "SELECT a.* FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE d.webhook_id = :w "
            "ORDER BY a.n", w=hooks[name],
        )  # fmt: skip

    for name in hooks:  # the schedule's three attempts, each with its reason
        eventually(lambda name=name: len(log(name)) == 3, 20)
    for name, (_, status, sentence) in SAYS.items():
        for attempt in log(name):
            assert attempt.status == status and sentence in attempt.error, name
            said = [attempt.error, attempt.response_body or "", *json.loads(attempt.response_headers or "{}")]
            said += json.loads(attempt.response_headers or "{}").values()
            assert not controls("".join(said)), name
    assert (
        "does not speak TLS at this port: let the webhook's URL begin with http://" in log("plain")[0].error
    )
    assert log("body")[0].response_body == "\ufffd\ufffd\ufffd\n\ufffd\ufffdabc"
    assert {one.pid for one in appliance.named("worker-")} == workers and len(receiver.at("/well")) == 1
    assert not controls(appliance.log.replace("\r", "\n"))
    visitor = Visitor(appliance)
    for name in SAYS:
        delivery = log(name)[0].delivery_id
        page = visitor.get(f"/deliveries/{delivery}")
        assert page.status_code == 200 and not controls(page.text), name
