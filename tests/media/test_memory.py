"""A large recording passes through the web process and leaves no trace in its memory."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import psutil
import pytest
import requests
from appliance import Appliance
from hypothesis import settings
from media import sounds
from receiver import Receiver

SIZE = (256 if settings.get_current_profile_name() == "soak" else 64) << 20  # --hypothesis-profile=soak
GROWTH = 20 << 20


class Watch:
    """The most memory that any web process has had more than at the start (RSS)."""

    def __init__(self, appliance: Appliance) -> None:
        self._before = {process: self._size(process) for process in appliance.named("spoke: web-")}
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @staticmethod
    def _size(process: psutil.Process) -> int:
        return int(process.memory_info().rss)

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            for process, before in self._before.items():
                self.most = max(self.most, self._size(process) - before)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def body(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The form of an upload, piece by piece."""
    yield b'--b\r\nContent-Disposition: form-data; name="event"\r\n\r\n{"type":"call_recording"}\r\n'
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    yield from pieces
    yield b"\r\n--b--\r\n"


@pytest.mark.databases("one")
def test_its_size_up_and_down(start_appliance: Callable[..., Appliance], receiver: Receiver) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=b"}
    with Watch(one) as watch:
        answer = one.post("/api/media", data=body(sounds.long_mp3(SIZE)), headers=headers, timeout=120)
    assert answer.status_code == 202, answer.text
    print(f"grew by {watch.most >> 20} MiB")
    assert watch.most < GROWTH, f"{watch.most >> 20} MiB"
    link = receiver.wait("/media", seconds=240)[0].json["attachments"]
    wanted = hashlib.sha256()
    for piece in sounds.long_mp3(SIZE):
        wanted.update(piece)
    came = hashlib.sha256()
    began = time.monotonic()
    with Watch(one) as watch, requests.get(link, stream=True, timeout=30) as got:
        for piece in got.iter_content(1 << 20):
            came.update(piece)
    assert came.digest() == wanted.digest()
    print(f"grew by {watch.most >> 20} MiB")
    assert watch.most < GROWTH, f"{watch.most >> 20} MiB"
    print(f"{SIZE / (time.monotonic() - began) / 1e6:.0f} MB/s down")
