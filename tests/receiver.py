"""A real HTTP receiver on 127.0.0.1 that records what comes and answers as it is told."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request. ``at`` is on the monotonic clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    method: str = "POST"

    @property
    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Answer:
    """What to answer. ``seconds`` are slept before it; ``raw`` is written to the socket instead of it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    raw: Callable[[BaseHTTPRequestHandler], None] | None = None


class Receiver:
    """``url("/path")`` is where to send to; ``answers["/path"]`` is a list of answers, the last one stays."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.answers: dict[str, list[Answer | int]] = {}
        self.connections = 0
        self._arrived = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = 65536

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = outer._take(Received(self.path, headers, body, time.monotonic(), self.command))
                time.sleep(answer.seconds)
                if answer.raw:
                    answer.raw(self)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST  # a followed redirect would come as one
            do_DELETE = do_POST

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 1024

            def handle_error(self, *_: object) -> None:
                pass  # callers are killed in some tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        if tls:
            # The handshake is the handler thread's: a caller that breaks it off holds nobody up.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, request: Received) -> Answer:
        with self._arrived:
            self.requests.append(request)
            planned = self.answers.get(request.path.partition("?")[0], [200])
            answer = planned.pop(0) if len(planned) > 1 else planned[0]
            self._arrived.notify_all()
        return answer if isinstance(answer, Answer) else Answer(answer)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        """What came to a path so far, in order."""
        with self._arrived:
            return [request for request in self.requests if request.path == path]

    def wait(self, path: str, count: int = 1, seconds: float = 10) -> list[Received]:
        """Wait until so many requests came to a path; fails the test after ``seconds``."""
        until = time.monotonic() + seconds
        with self._arrived:
            while True:
                found = [request for request in self.requests if request.path == path]
                if len(found) >= count:
                    return found
                left = until - time.monotonic()
                assert left > 0, f"{len(found)} of {count} requests came to {path} in {seconds} s"
                self._arrived.wait(left)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
