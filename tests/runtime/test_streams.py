"""Answers that are sent while they are made, by the web server itself: no more is made than is taken."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from appliance import eventually

from webhooks.runtime.webserver import WebServer

PIECE = b"x" * 65_536
Pieces = Callable[[], Iterable[bytes]]


class Site:
    """A web server with two addresses: ``/`` streams ``pieces``, ``/page`` is a page."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.server = WebServer(self._app, listener, 64)
        self._thread = threading.Thread(target=self.server.run, args=(lambda: None,))
        self._thread.start()

    def _app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"] == "/page":
            return [b"a page"]
        environ["spoke.stream"]()
        return () if environ["REQUEST_METHOD"] == "HEAD" else self._pieces()

    def close(self) -> None:
        self.server.stop()
        self._thread.join(20)


@contextmanager
def site(pieces: Pieces) -> Iterator[Site]:
    made = Site(pieces)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def caller(of: Site, request: str = "GET / HTTP/1.1", window: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as made:
        if window is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        made.settimeout(20)
        made.connect(("127.0.0.1", of.port))
        made.sendall(f"{request}\r\nHost: site\r\n\r\n".encode())
        yield made


def everything(of: socket.socket) -> bytes:
    return b"".join(iter(lambda: of.recv(65_536), b""))


def test_a_piece_arrives_before_the_next_one_is_made() -> None:
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert go_on.wait(20)
        yield b"second"

    with site(pieces) as one, caller(one) as reader:
        came = b""
        while b"first" not in came:
            came += reader.recv(65_536)
        assert b"second" not in came
        go_on.set()
        assert everything(reader).endswith(b"second\r\n0\r\n\r\n")


def test_who_takes_nothing_is_made_nothing_for_and_keeps_no_page_waiting() -> None:
    made = itertools.count()
    last = 0

    def pieces() -> Iterator[bytes]:
        nonlocal last
        for number in made:
            last = number
            yield PIECE

    with site(pieces) as one, caller(one, window=4096) as first, caller(one, window=4096) as second:

        def is_still() -> bool:
            """Whether both wait for their callers: what is made stands in their buffers."""
            connections = list(one.server.active_channels.values())
            waiting = [each for each in connections if each.total_outbufs_len > 65_536]
            return len(waiting) == 2

        eventually(is_still, 20)
        for _ in range(5):  # there are two places for pages, and two streams
            with caller(one, "GET /page HTTP/1.0") as visitor:
                assert everything(visitor).endswith(b"a page")
        assert all(each.total_outbufs_len < 4 * 65_536 for each in one.server.active_channels.values())
        before = last
        while last <= before:  # it goes on once they take something
            assert first.recv(65_536) and second.recv(65_536)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_that_breaks_off_does_not_look_whole(version: str) -> None:
    arrived = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert arrived.wait(20)
        raise RuntimeError("the database is away")

    with site(pieces) as one, caller(one, f"GET / HTTP/{version}") as reader:
        came = b""
        while b"first" not in came:
            came += reader.recv(65_536)
        arrived.set()
        with pytest.raises(ConnectionResetError):
            everything(reader)


def test_who_hangs_up_ends_the_making() -> None:
    ended = threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield PIECE
        finally:
            ended.set()

    with site(pieces) as one:
        with caller(one) as reader:
            assert reader.recv(65_536)
        assert ended.wait(20)


def test_the_head_alone_has_no_body_and_no_end_of_one() -> None:
    with site(lambda: ()) as one, caller(one, "HEAD / HTTP/1.1") as reader:
        head, _, body = everything(reader).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and not body
