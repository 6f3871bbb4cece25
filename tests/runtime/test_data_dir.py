"""The data dir: nobody else's to read, nothing in its way, and a disk that is full for a while."""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from appliance import ROOT, Appliance, eventually
from conftest import need
from receiver import Receiver

from webhooks import data_dir, keyring
from webhooks.db.store import Store
from webhooks.errors import StartError, WriteFailed
from webhooks.retention import media_cleanup
from webhooks.runtime import housekeeping, startup
from webhooks.settings import Settings


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = os.umask(0o022)  # as most people's shells have it
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    return [
        f"{stat.S_IMODE(path.lstat().st_mode):o} {path.relative_to(folder)}"
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]


@pytest.mark.databases("one")
def test_nothing_in_a_data_dir_that_was_made_beforehand_is_anybody_elses_to_read(
    tmp_path: Path, start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    one = start_appliance(folder=tmp_path)
    token = one.location("Office")
    one.webhook("Office", receiver.url("/hook"))
    one.event(token, type="incoming_call", subtype="ringing")
    receiver.wait("/hook")
    assert {"spoke.sqlite3", "spoke.sqlite3-wal", "spoke.sqlite3-shm", "workers"} <= set(os.listdir(data))
    assert open_to_others(data) == []


def test_what_a_former_version_left_open_is_set_right(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", admin_password="unused here")
    store = Store(settings)
    keyring.secret_key(settings)
    startup.prepare(settings, store)
    for folder in ("media/incoming", "media/waiting", "media/mp3/ab", "workers", "redis"):
        (settings.data / folder).mkdir(parents=True, exist_ok=True)
    recording = settings.data / "media" / "waiting" / str(uuid.uuid4())
    recording.touch()
    for path in (settings.data, *settings.data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    data_dir.make_ready(settings)
    assert open_to_others(settings.data) == ["755 media/mp3/ab", f"644 media/waiting/{recording.name}"]
    store.engine.dispose()


def test_a_folder_with_other_things_in_it_stays_as_it_is_and_what_is_ours_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=tmp_path, admin_password="unused here")
    (tmp_path / "somebody else's").touch()
    (tmp_path / "secret.key").write_text("k" * 40)
    tmp_path.chmod(0o777)
    data_dir.make_ready(settings)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o777
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert "chmod go-w" in caplog.text and vars(caplog.records[-1])["path"] == tmp_path


@pytest.mark.parametrize("name", ["redis", "media", "workers", "media/mp3", "secret.key", "write.lock"])
@pytest.mark.parametrize("what", ["the wrong kind", "a link that leads nowhere"])
def test_what_is_in_the_way_is_told_with_its_path_and_what_to_do(
    tmp_path: Path, name: str, what: str
) -> None:
    settings = Settings(data_dir=tmp_path, admin_password="unused here")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if what == "a link that leads nowhere":
        path.symlink_to("/nowhere/at-all")
    elif "." in name:
        path.mkdir()
    else:
        path.write_text("")
    with pytest.raises(StartError) as raised:
        data_dir.make_ready(settings)
    assert str(path) in str(raised.value) and re.search("move it away|take the link away", str(raised.value))


@pytest.mark.parametrize("arguments", [[], ["worker"]])
def test_a_file_in_place_of_a_folder_ends_the_start_with_one_line(
    tmp_path: Path, arguments: list[str]
) -> None:
    one = Appliance(tmp_path, start=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "workers").write_text("")
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *arguments],
        env=one.environment, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert str(tmp_path / "data" / "workers") in done.stderr


def test_what_is_no_recording_in_the_media_folder_is_left_alone_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=tmp_path, admin_password="unused here")
    store = Store(settings)
    keyring.secret_key(settings)
    startup.prepare(settings, store)
    for folder in ("incoming", "waiting", "mp3/ab"):
        (tmp_path / "media" / folder).mkdir(parents=True)
        (tmp_path / "media" / folder / "link").symlink_to("/nowhere/at-all")
    (tmp_path / "media" / "waiting" / "a folder").mkdir()
    nobodys = tmp_path / "media" / "waiting" / "nobody's"
    nobodys.touch()
    for _ in range(2):
        media_cleanup.look_after(settings, store, threading.Event())
    assert not nobodys.exists()
    assert sum("is left alone" in line for line in caplog.messages) == 4
    store.engine.dispose()


def test_a_new_key_is_there_after_a_power_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name counts for nothing until its folder is on the disk."""
    done: list[str] = []
    sync = os.fsync

    def synced(fd: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        done.append("named" if (tmp_path / "secret.key").exists() else "not named")
        sync(fd)

    monkeypatch.setattr(os, "fsync", synced)
    keyring.secret_key(Settings(data_dir=tmp_path, admin_password="unused here"))
    assert done == ["file", "not named", "folder", "named"]


def test_one_duty_of_housekeeping_that_fails_keeps_it_from_no_other(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def full() -> None:
        raise WriteFailed("The disk is full.")

    def broken() -> None:
        raise OSError("in the way")

    duties = [full, lambda: done.append("first"), broken, full, lambda: done.append("second")]
    assert housekeeping.do_all(duties, threading.Event()) == [full, broken, full]
    assert done == ["first", "second"]
    assert caplog.messages == ["duty put off"] * 2
    assert [vars(record)["reason"] for record in caplog.records] == ["The disk is full.", "in the way"]


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("A small disk cannot be mounted here: run the tests as root for it")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_got_over(tmp_path: Path, receiver: Receiver) -> None:
    need(shutil.which("mount"), "mount is missing: apt install mount")
    with small_disk(tmp_path / "data", 24):
        one = Appliance(tmp_path, start=False)
        one.start()
        try:
            token = one.location("Office")
            one.webhook("Office", receiver.url("/hook"))
            filler = tmp_path / "data" / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            accepted = 0
            for _ in range(300):  # what is preallocated of the log still takes some
                answer = one.event(token, type="incoming_call", subtype="ringing", note="x" * 20_000)
                if answer.status_code != 202:
                    break
                accepted += 1
            assert answer.status_code == 503 and "Retry-After" in answer.headers
            ready = one.get("/readyz")
            assert ready.status_code == 503 and "disk" in ready.text
            filler.unlink()
            eventually(lambda: one.get("/readyz").status_code == 200)
            eventually(lambda: one.event(token, type="incoming_call", subtype="ended").status_code == 202, 20)
            receiver.wait("/hook", accepted + 1, seconds=60)
            eventually(lambda: one.rows("SELECT 1 FROM heard"), 20)  # housekeeping goes on
            assert "Traceback" not in one.log and "process ended" not in one.log
        finally:
            one.end()
