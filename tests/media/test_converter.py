"""Whatever one recording does to its conversion, it does to itself."""

import errno
import hashlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance import Appliance
from media import client, sounds

from webhooks.errors import DiskFull
from webhooks.events.schema import parse_media
from webhooks.media.transcode import Sound, convert
from webhooks.outbox.wakeup import Waker
from webhooks.runtime import converter as module
from webhooks.runtime.converter import Converter

GOOD = sounds.wav(8000, [sounds.speech(8000, 1)])
BAD = sounds.wav(8000, [sounds.speech(8000, 1.5)])


class Bench:
    """A data dir with recordings that wait, and converters in this process, a pass at a time."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.machine = Appliance(folder, start=False, **environment)
        self._token = self.machine.location("Office")
        self.services = self.machine.app.extensions["spoke"]

    def add(self, data: bytes) -> str:
        """Take a recording as the door does; its id."""
        with self.services.recording_intake.upload() as upload:
            upload.write(data)
            sender = hashlib.sha256(self._token.encode()).digest()
            taken = self.services.recording_intake.take(
                sender, parse_media(b'{"type":"voicemail"}', uuid.UUID(int=0)), upload, "a.wav"
            )
        return str(taken.media_id)

    def converter(self, *, short: bool = False) -> Converter:
        settings, store = self.services.settings, self.services.store
        return Converter(settings, store, Waker(settings), short=short)

    def look(self, *, short: bool = False) -> None:
        """One pass over all that waits."""
        self.converter(short=short).convert_waiting()

    def row(self, media_id: str) -> Any:
        query = "SELECT state, tries, error, milliseconds FROM media WHERE id = :id"
        return self.machine.rows(query, id=media_id)[0]

    def kept(self, media_id: str) -> bool:
        return f"waiting/{media_id}" in client.files(self.machine)


@pytest.fixture
def bench(tmp_path: Path, database: Callable[..., dict[str, Any]]) -> Iterator[Bench]:
    one = Bench(tmp_path, database())
    yield one
    one.machine.end()


def breaking(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Have the conversion of BAD end in a fault."""

    def made(source: Any, target: Any, limits: Any) -> Sound:
        if source.read() == BAD:
            raise fault
        return convert(source, target, limits)

    monkeypatch.setattr(module, "convert", made)


@pytest.mark.parametrize("fault", [RuntimeError("x"), MemoryError(), RecursionError()])
def test_any_exception_is_the_files_own_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    breaking(monkeypatch, fault)
    bad, good = bench.add(BAD), bench.add(GOOD)
    bench.look()
    failed, ready = bench.row(bad), bench.row(good)
    assert failed.state == "failed" and type(fault).__name__ in failed.error and bench.kept(bad)
    assert ready.state == "ready" and ready.milliseconds == 1000 and not bench.kept(good)


def test_a_fault_of_the_disk_is_tried_again_and_holds_up_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, OSError(errno.EIO, "Input/output error"))
    bad, good = bench.add(BAD), bench.add(GOOD)
    bench.look()
    assert (bench.row(bad).state, bench.row(bad).tries) == ("waiting", 1)
    assert bench.row(good).state == "ready"
    for _ in range(3):
        bench.look()
    assert bench.row(bad).state == "failed" and "begun 3 times" in bench.row(bad).error and bench.kept(bad)


def test_a_full_disk_is_no_fault_of_the_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    bad = bench.add(BAD)
    for _ in range(4):
        with pytest.raises(DiskFull):
            bench.look()
    assert (bench.row(bad).state, bench.row(bad).tries) == ("waiting", 0)
    monkeypatch.undo()
    bench.look()
    assert bench.row(bad).state == "ready"


def test_what_has_ended_a_converter_comes_after_all_that_has_not(bench: Bench) -> None:
    bad, good = bench.add(BAD), bench.add(GOOD)
    with bench.services.store.direct() as direct:
        direct.run("UPDATE media SET tries = 1 WHERE id = :id", {"id": bad})
    assert [one.id for one in bench.converter()._waiting()] == [good, bad]


def test_a_file_that_cannot_be_opened_fails(bench: Bench) -> None:
    bad, good = bench.add(BAD), bench.add(GOOD)
    path = bench.machine.folder / "data" / "media" / "waiting" / bad
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))  # not even root opens it
    bench.look()
    assert bench.row(bad).state == "failed" and "cannot be opened" in bench.row(bad).error
    assert bench.row(good).state == "ready"


@pytest.mark.databases("one")
def test_one_converter_takes_short_recordings_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = bench.add(sounds.long_wav(181)), bench.add(GOOD)
    assert [one.id for one in bench.converter(short=True)._waiting()] == [short]
    assert [one.id for one in bench.converter()._waiting()] == [long, short]
    monkeypatch.setattr(module, "_SHORT_SECONDS", 0.5)
    bench.look(short=True)  # it is longer than it said
    assert (bench.row(short).state, bench.row(short).tries) == ("waiting", 0)
    assert bench.converter(short=True)._waiting() == []
    bench.look()
    assert [bench.row(one).state for one in (long, short)] == ["ready", "ready"]


def test_a_decoder_that_comes_to_no_end_ends_its_process_and_the_file_has_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def endless(*_: object) -> None:
        while not ended.is_set():
            pass
        raise module.Stopped

    def leave(status: int) -> None:
        assert status
        ended.set()

    monkeypatch.setattr(module, "_STUCK_SECONDS", 0.2)
    monkeypatch.setattr(module, "convert", endless)
    monkeypatch.setattr(os, "_exit", leave)
    bad = bench.add(BAD)
    one = bench.converter()
    one.start()
    assert ended.wait(30)
    one.stop()
    one._watchdog.join(10)
    assert bench.row(bad).state == "failed"
    assert "comes to no end" in bench.row(bad).error and bench.kept(bad)


def test_a_failed_recordings_file_makes_room_and_then_its_row_stays(bench: Bench) -> None:
    from webhooks.media.storage import Folder
    from webhooks.retention.media_cleanup import make_room, sweep

    bad, good = bench.add(BAD), bench.add(GOOD)
    with bench.services.store.direct() as direct:
        direct.run("UPDATE media SET tries = 3 WHERE id = :id", {"id": bad})
    bench.look()
    folder, stop = Folder(bench.services.settings.data), threading.Event()
    sweep(folder, bench.services.store, stop)
    assert bench.kept(bad)
    assert make_room(folder, bench.services.store, stop, len(BAD) - 1) == 1
    assert not bench.kept(bad) and bench.row(bad).state == "failed" and "begun" in bench.row(bad).error
    assert bench.row(good).state == "ready"
