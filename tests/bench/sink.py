"""The receiver of all contestants, as the bench sees it: a process of its own (sink_server)."""

import http.client
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_STALL_SECONDS: Final = 30.0  # nothing came for so long: something is broken


@dataclass(frozen=True)
class Arrivals:
    """``at_ns`` and ``sent_ns`` by arrival, monotonic; ``messages`` counts webhook-ids, each path's apart."""

    paths: list[str]
    at_ns: list[int]
    sent_ns: list[int]
    messages: int

    def milliseconds(self, since_ns: int = 0, until_ns: float = float("inf")) -> list[float]:
        """From stamp to arrival, of what was stamped in that time."""
        return [
            (at - sent) / 1e6
            for at, sent in zip(self.at_ns, self.sent_ns, strict=True)
            if since_ns <= sent < until_ns
        ]


class Sink:
    """Usable as a context manager; every instance begins with empty records."""

    def __enter__(self) -> "Sink":
        command = [sys.executable, str(Path(__file__).with_name("sink_server.py"))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, kind: str = "now") -> int:
        return int(self._ask(f"/-/count/{kind}"))

    def arrivals(self, kind: str = "now") -> Arrivals:
        told = self._ask(f"/-/arrivals/{kind}")
        paths, at_ns, sent_ns = (
            map(list, zip(*told["arrivals"], strict=True)) if told["arrivals"] else ([],) * 3
        )
        return Arrivals(paths, at_ns, sent_ns, told["messages"])

    def wait(self, count: int, kind: str = "now") -> None:
        """Wait until so many have come.

        Raises:
            TimeoutError: no further one came for half a minute.
        """
        seen, since = -1, time.monotonic()
        while True:
            now = self.count(kind)
            if now >= count:
                return
            if now > seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > _STALL_SECONDS:
                raise TimeoutError(f"{now} of {count} requests came to the receiver, then none for 30 s")
            time.sleep(0.05)

    def _ask(self, path: str) -> Any:
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())
