"""The hook while uploads and downloads crawl; downloads of 50 MB; how fast a recording is converted."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import requests
from appliance import Appliance
from media import client, sounds
from nginx import Nginx
from receiver import Receiver

from bench import appliance, wrk
from bench.figures import Latencies, Spread, rate, times
from bench.report import Line
from bench.session import Session
from bench.sink import Sink
from bench.wrk import Load

_CONNECTIONS = 8
_SLOW = 16
_CLIENTS = 8


def measure(session: Session) -> list[Line]:
    """One appliance for all of it; alone and beside in turn."""
    with Sink() as sink, appliance.started(session) as machine:
        token = machine.location("Bench")
        receiver = Receiver()
        machine.webhook("Bench", receiver.url("/media"), "media")
        link = _big_file(machine, token, receiver)
        appliance.add_webhooks(machine, "Bench", [sink.url(f"/now/{n}") for n in range(2)])
        _load(session, machine, token)
        alone, beside = [], []
        for _ in range(session.rounds):
            alone.append(_load(session, machine, token))
            with _crawling(machine, token, link) as refused:
                beside.append(_load(session, machine, token))
            session.say(f"of {2 * _SLOW} slow callers {refused()} were asked to come again")
        rates, theirs = [], []
        for _ in range(session.rounds):
            rates.append(_downloads(link))
            theirs.append(_by_nginx(session, machine))
            session.say(
                f"50 MB to {_CLIENTS} clients at a time: {_megabytes(rates[-1])}, "
                f"nginx {_megabytes(theirs[-1])}"
            )
        seconds = 600
        began = time.monotonic()
        client.send(machine, token, sounds.long_wav(seconds))
        receiver.wait("/media", 2, seconds=120)
        took = time.monotonic() - began
        receiver.close()
    before, while_ = (Latencies(tuple(load.latency for load in loads)) for loads in (alone, beside))
    ratio = while_.p99.over(before.p99)
    ours, limit = Spread.of(rates), Spread.of(theirs)
    share = ours.over(limit)
    return [
        Line(
            f"the hook beside {_SLOW} slow uploads and {_SLOW} slow downloads",
            f"{_rates(beside).told(rate)}, {while_}", f"alone {_rates(alone).told(rate)}, {before}", "",
            f"p99 {ratio.told(times)}", "p99 ≤ 2×", ratio.median <= 2,
        ),
        Line(
            f"download of 50 MB, {_CLIENTS} clients", ours.told(_megabytes),
            f"nginx {limit.told(_megabytes)}", "", share.told(times), "≥ 0.7×", share.median >= 0.7,
        ),
        Line("an upload of 10 minutes of speech (8 kHz WAV) until its link arrives", f"{took:.1f} s"),
    ]  # fmt: skip


def _rates(loads: list[Load]) -> Spread:
    return Spread.of(load.per_second for load in loads)


def _megabytes(per_second: float) -> str:
    return f"{per_second:,.0f} MB/s"


def _load(session: Session, machine: Appliance, token: str) -> Load:
    load = wrk.post(f"{machine.url}/api/events", session.size(6, 3), connections=_CONNECTIONS, token=token)
    session.say(f"hook: {load.per_second:,.0f}/s, {load.latency}")
    return load


def _big_file(machine: Appliance, token: str, receiver: Receiver) -> str:
    """A link to an MP3 of 50 MB."""
    second = sounds.coded("libmp3lame", "mp3", 48000, [sounds.speech(48000, 1)] * 2, 320_000)
    begin = second.index(b"\xff\xfb") + 960
    frames = second[begin : begin + 960 * 30]
    client.send(machine, token, frames * (50_000_000 // len(frames)), "big.mp3")
    return str(receiver.wait("/media", seconds=60)[0].json["attachments"])


@contextlib.contextmanager
def _crawling(machine: Appliance, token: str, link: str) -> Iterator[Callable[[], int]]:
    """Callers who send or take a few bytes a second; the value tells how many were refused."""
    get = f"GET {link.removeprefix(machine.url)} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    put = (
        f"POST /api/media HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 9000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        'Content-Disposition: form-data; name="file"\r\n\r\n'
    ).encode()
    ended = threading.Event()
    refused: list[int] = []

    def crawl(request: bytes, more: bytes) -> None:
        with socket.socket() as caller, contextlib.suppress(OSError):
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", machine.port))
            caller.sendall(request)
            caller.settimeout(0.1)
            first = True
            while not ended.wait(0.1):
                if more:
                    caller.sendall(more)
                with contextlib.suppress(TimeoutError):
                    answer = caller.recv(512)
                    if first and b" 503 " in answer:
                        refused.append(1)
                        return
                    first = False

    threads = [
        threading.Thread(target=crawl, args=arguments, daemon=True)
        for arguments in ((get, b""), (put, b"x" * 200))
        for _ in range(_SLOW)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    try:
        yield lambda: len(refused)
    finally:
        ended.set()
        for thread in threads:
            thread.join(5)


def _by_nginx(session: Session, machine: Appliance) -> float:
    """The same file, sent by nginx to as many clients."""
    shelf = machine.folder / "data" / "media" / "mp3"
    largest = max(shelf.rglob("*.mp3"), key=lambda path: path.stat().st_size)
    server = Nginx(session.new_folder("nginx"), f"location / {{ root {shelf}; }}")
    try:
        return _downloads(f"{server.url}/{largest.relative_to(shelf)}")
    finally:
        server.close()


def _downloads(link: str) -> float:
    """MB/s over all clients; one that is asked to come again does."""
    came: list[int] = []

    def take() -> None:
        while True:
            with requests.get(link, stream=True, timeout=60) as got:
                if got.status_code == 200:
                    came.append(sum(len(piece) for piece in got.iter_content(1 << 20)))
                    return
            time.sleep(0.05)

    began = time.monotonic()
    threads = [threading.Thread(target=take) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(came) / (time.monotonic() - began) / 1e6
