"""Every attack on the front door at full size, beside one honest caller at 10 events a second. By hand.

.venv/bin/python tests/soak/front_door.py                 all of them, 20 seconds each
.venv/bin/python tests/soak/front_door.py --seconds 45 idle silent     some, for longer
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import socket
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[2]))
os.environ["SPOKE_DATA_DIR"] = tempfile.mkdtemp(prefix="spoke-soak-")

import requests
from appliance import Appliance

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
CALL = {"type": "incoming_call", "subtype": "ringing"}
Told = Callable[[], str]


class Honest:
    """Ten events a second, each over a connection of its own; in a process without the attackers."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = f"{url}/api/events", token
        self.took: list[float] = []
        self.refused: Counter[str] = Counter()

    def call(self, seconds: float) -> "Honest":
        began = time.monotonic()
        with ThreadPoolExecutor(20) as crowd:  # a slow answer does not put off the next call
            for number in range(int(seconds * 10)):
                time.sleep(max(0.0, began + number / 10 - time.monotonic()))
                crowd.submit(self._one)
        return self

    def _one(self) -> None:
        began = time.monotonic()
        try:
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = requests.post(self._url, json=CALL, headers=headers, timeout=20)
            outcome = "" if answer.status_code == 202 else str(answer.status_code)
        except requests.RequestException as error:
            outcome = type(error).__name__
        self.took.append((time.monotonic() - began) * 1000)
        if outcome:
            self.refused[outcome] += 1

    def __str__(self) -> str:
        p99 = statistics.quantiles(self.took, n=100)[98]
        refused = ", ".join(f"{count} {what}" for what, count in self.refused.items())
        return f"{refused or 'none':<22} {statistics.median(self.took):>7.0f} ms {p99:>7.0f} ms"


class Attack:
    """``count`` connections that have sent ``first``; then ``more``, byte by byte, once a second each."""

    def __init__(self, appliance: Appliance, count: int, first: bytes = b"", more: bytes = b"") -> None:
        self._port, self._count, self._first, self._more = appliance.port, count, first, more
        self._callers: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.broken = 0

    def _connect(self) -> None:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.settimeout(20)
        try:
            caller.connect(("127.0.0.1", self._port))
            caller.sendall(self._first)
        except OSError:
            self.broken += 1
        caller.setblocking(False)
        self._callers.append(caller)

    def _go_on(self) -> None:
        for place in range(1 << 30):
            if self._ended.wait(1):
                return
            for number, caller in enumerate(self._callers):
                if self._more:
                    try:
                        caller.send(self._more[place % len(self._more) :][:1])
                    except BlockingIOError:
                        continue
                    except OSError:  # given up: it begins anew
                        caller.close()
                        self._connect()
                        self._callers[number] = self._callers.pop()

    def __enter__(self) -> Told:
        for _ in range(self._count):
            self._connect()
        self._thread.start()
        return lambda: f"{self.broken} could not connect" if self.broken else ""

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for caller in self._callers:
            caller.close()


@contextlib.contextmanager
def over_and_over(count: int, one: Callable[[int], int]) -> Iterator[Told]:
    """So many callers who do ``one`` again and again; it gives a status."""
    ended = threading.Event()
    statuses: Counter[int] = Counter()

    def go(number: int) -> None:
        while not ended.is_set():
            with contextlib.suppress(requests.RequestException):
                statuses[one(number)] += 1

    threads = [threading.Thread(target=go, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: ", ".join(f"{times} × {status}" for status, times in sorted(statuses.items()))
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def head(token: str, *lines: str) -> bytes:
    return "\r\n".join(
        [
            "POST /api/events HTTP/1.1",
            "Host: a",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            *lines,
            "",
            "",
        ]
    ).encode()


def attacks(one: Appliance, token: str) -> dict[str, Callable[[], contextlib.AbstractContextManager[Told]]]:
    slow_head = b"POST /api/events HTTP/1.1\r\nHost: a\r\nX: "
    stops = b"x" * 20_000

    def log_in(number: int) -> int:
        headers = {"X-Forwarded-For": f"203.0.113.{number}", "Origin": one.url}
        sent = requests.post(f"{one.url}/login", data={"password": "guessed"}, headers=headers, timeout=30)
        return sent.status_code

    def batch(_: int) -> int:
        events = [{"id": str(uuid.uuid4()), **CALL} for _ in range(1000)]
        headers = {"Authorization": f"Bearer {one.big_token}"}  # type: ignore[attr-defined]
        return requests.post(f"{one.url}/api/events", json=events, headers=headers, timeout=300).status_code

    return {
        "nothing": lambda: Attack(one, 0),
        "pipelined": lambda: Attack(one, 60, GET + GET[:20]),
        "idle": lambda: Attack(one, 2500, GET),
        "silent": lambda: Attack(one, 2500),
        "chunked": lambda: Attack(
            one, 20, head(token, "Transfer-Encoding: chunked") + b"fffff\r\n" + stops * 5
        ),
        "long": lambda: Attack(one, 40, head(token, "Content-Length: 900000") + stops),
        "slow-heads": lambda: Attack(one, 1000, slow_head, b"x" * 5000),
        "slow-bodies": lambda: Attack(one, 1000, head(token, "Content-Length: 5000"), b" " * 4000),
        "takes-nothing": lambda: Attack(one, 200, b"GET /static/app.css HTTP/1.1\r\nHost: a\r\n\r\n" * 100),
        "log-ins": lambda: over_and_over(60, log_in),
        "batch": lambda: over_and_over(1, batch),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these attacks")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--webhooks", type=int, default=300, help="that the batch is for")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    elsewhere = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    elsewhere.submit(os.getpid).result()  # before any thread
    folder = Path(os.environ["SPOKE_DATA_DIR"])
    # No SPOKE_ADMIN_PASSWORD: a password is hashed. Each log-in comes from an address of its own.
    one = Appliance(folder / "a", SPOKE_ADMIN_PASSWORD="", SPOKE_TRUSTED_PROXIES="127.0.0.0/8")
    failed = 0
    try:
        token = one.location("Honest")
        one.big_token = one.location("Large")  # type: ignore[attr-defined]
        if not given.names or "batch" in given.names:
            for number in range(given.webhooks):
                one.cli("webhook", "pause", str(one.webhook("Large", f"http://192.0.2.1/{number}")["id"]))
        os.nice(10)  # attackers have machines of their own: they are not to take the appliance's processors
        print(f"{'attack':<14} {'honest refused':<22} {'p50':>10} {'p99':>10}  told", flush=True)
        for name, attack in attacks(one, token).items():
            if given.names and name not in (*given.names, "nothing"):
                continue
            with attack() as told:
                honest = elsewhere.submit(Honest(one.url, token).call, given.seconds).result()
                print(f"{name:<14} {honest}  {told()}", flush=True)
            failed += bool(honest.refused)
        print(json.dumps({"log lines": one.log.count("\n"), "tracebacks": one.log.count("Traceback")}))
    finally:
        elsewhere.shutdown()
        one.kill()
        one.end()
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
