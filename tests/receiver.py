"""A real HTTP receiver on 127.0.0.1 that records what comes and answers as it is told."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from http_server import Handler, Server


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

        class Asked(Handler):
            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(self.path, headers, self.body(), time.monotonic(), self.command)
                answer = outer._take(request)
                time.sleep(answer.seconds)
                if answer.raw:
                    answer.raw(self)
                    self.close_connection = True
                else:
                    self.respond(answer.status, answer.headers, answer.body)

        self._server = Server(Asked, tls)
        self.port = self._server.port

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
        self._server.close()
