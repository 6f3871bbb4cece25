"""Events posted at a steady rate, each stamped with the moment at which it should be sent."""

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final

_SENDERS: Final = 8


class Pace:
    """Posts ``per_second`` events while the block runs, what ``make(n)`` gives as the n-th.

    The stamp is put on before a sender is free for it: a hook that answers slowly shows in the latency of
    all that waits behind it.
    """

    def __init__(
        self, port: int, path: str, token: str, per_second: float, make: Callable[[int], dict[str, Any]]
    ) -> None:
        self.sent = 0
        self.refused: list[str] = []
        self._address, self._path, self._interval, self._make = (
            ("127.0.0.1", port),
            path,
            1 / per_second,
            make,
        )
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick)
        self._senders = [threading.Thread(target=self._send) for _ in range(_SENDERS)]

    def __enter__(self) -> "Pace":
        for thread in (self._ticker, *self._senders):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._ticker.join()
        for _sender in self._senders:
            self._queue.put(None)
        for sender in self._senders:
            sender.join()

    def _tick(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            event = self._make(self.sent)
            event["sent_ns"] = time.monotonic_ns()
            self._queue.put(event)
            self.sent += 1
            due += self._interval

    def _send(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        while (event := self._queue.get()) is not None:
            connection.request("POST", self._path, json.dumps(event), self._headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                self.refused.append(f"{answer.status} {text[:200]!r}")
        connection.close()
