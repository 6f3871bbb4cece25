"""The script that runs at the phone system: what it sends, keeps, gives up, and never does twice."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from appliance import ROOT, Appliance, free_port
from conftest import need
from media.sounds import speech, wav
from receiver import Answer, Receiver

SCRIPT = ROOT / "static" / "pbx" / "spoke-media.sh"
UNIQUEID = "1732551234.57"

pytestmark = pytest.mark.databases("one")


class Pbx:
    """The folders of a phone system, and the script in them, run by ``shell``."""

    def __init__(self, folder: Path, shell: list[str], path: str, url: str, token: str = "token") -> None:
        self.folder, self.shell, self.path = folder / "spoke-media", shell, path
        self.monitor, self.boxes = folder / "monitor", folder / "voicemail"
        self.config = folder / "spoke-media.curl"
        self.monitor.mkdir(parents=True)
        self.boxes.mkdir()
        self.point_to(url, token)
        os.utime(self.config, (1_700_000_000, 1_700_000_000))

    def point_to(self, url: str, token: str = "token") -> None:
        self.config.write_text(f'url = "{url}"\nheader = "Authorization: Bearer {token}"\n')

    def run(self, *words: str, status: int | None = 0) -> str:
        """Run the script. Returns what it said; ``status`` None takes any."""
        own = {
            "SPOKE_CURL": self.config, "SPOKE_FOLDER": self.folder, "SPOKE_MONITOR": self.monitor,
            "SPOKE_VOICEMAIL": self.boxes, "SPOKE_SETTINGS": "/nowhere", "SPOKE_SETTLE_S": "0",
        }  # fmt: skip
        done = subprocess.run(
            [*self.shell, str(SCRIPT), *words], capture_output=True, text=True, timeout=60,
            env={"PATH": self.path, **{name: str(value) for name, value in own.items()}},
        )  # fmt: skip
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def record(self, name: str, sound: bytes | None = None) -> Path:
        path = self.monitor / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound or sound_of(2))
        return path

    def message(
        self, number: int, *, folder: str = "INBOX", callerid: str = '"Clearly IP" <+12025550123>',
        msg_id: str | None = None, kinds: tuple[str, ...] = ("wav",), at: int = 1_732_551_300,
    ) -> Path:  # fmt: skip
        """Leave a message in the box of 5010 as Asterisk does."""
        box = self.boxes / "default" / "5010" / folder
        box.mkdir(parents=True, exist_ok=True)
        path = box / f"msg{number:04}"
        for kind in kinds:
            path.with_suffix(f".{kind}").write_bytes(sound_of(2))
        path.with_suffix(".txt").write_text(
            ";\n; Message Information file\n;\n[message]\norigmailbox=5010\ncontext=ext-local\n"
            f"callerchan=PJSIP/trunk-main-00000000\ncallerid={callerid}\norigtime={at}\ncategory=\n"
            f"msg_id={msg_id or f'{at}-0000000{number}'}\nflag=\nduration=2\n",
            errors="surrogateescape",
        )
        return path

    def waiting(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self.folder / "spool").glob("*/event"))]

    def failed(self) -> list[Path]:
        return sorted((self.folder / "failed").glob("*"))


def sound_of(seconds: float) -> bytes:
    return wav(8000, [speech(8000, seconds)])


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    found = shutil.which(request.param)
    need(found, f"{request.param} is missing, a shell of phone systems: apt install {request.param}")
    return [str(found), "ash"] if request.param == "busybox" else [str(found)]


@pytest.fixture
def make(tmp_path: Path, shell: list[str]) -> Callable[..., Pbx]:
    """Makes a phone system; where its shell is busybox, all its programs are but two."""
    curl, flock = shutil.which("curl"), shutil.which("flock")
    need(curl and flock, "curl or flock is missing: apt install curl util-linux")
    path = os.environ["PATH"]
    if shell[1:]:
        programs = tmp_path / "programs"
        programs.mkdir()
        subprocess.run([shell[0], "--install", "-s", programs], check=True)
        for own in (curl, flock):  # Debian's busybox has no flock
            link = programs / Path(str(own)).name
            link.unlink(missing_ok=True)
            link.symlink_to(str(own))
        path = str(programs)
    return lambda url, token="token": Pbx(tmp_path / "pbx", shell, path, url, token)


@pytest.fixture
def pbx(make: Callable[..., Pbx], appliance: Appliance, place: tuple[str, str]) -> Pbx:
    """A phone system whose script sends to the shared appliance."""
    return make(f"{appliance.url}/api/media", place[1])


def events(appliance: Appliance, location: str) -> list[dict[str, Any]]:
    """The events that were stored of a location, in order."""
    rows = appliance.rows(
        "SELECT body FROM event WHERE location_id = :id ORDER BY id", id=appliance.location_id(location)
    )
    return [json.loads(row.body) for row in rows]


def test_a_recording_is_sent_once_and_the_phone_systems_file_stays(
    pbx: Pbx, appliance: Appliance, place: tuple[str, str]
) -> None:
    name = f"in-5010-+12025550123-20241125-161354-{UNIQUEID}.wav"
    file = pbx.record(f"2024/11/25/{name}")
    before = file.stat()
    for _ in range(2):
        assert pbx.run("recording", UNIQUEID, "1732551230.55") == ""
    (event,) = events(appliance, place[0])
    assert event["type"] == "call_recording" and event["filename"] == name.replace(".wav", ".mp3")
    assert (event["to"], event["from"]) == ("5010", "+12025550123")
    assert (event["uniqueid"], event["linkedid"]) == (UNIQUEID, "1732551230.55")
    assert event["source_id"] == f"recording-{UNIQUEID}-{before.st_size}"
    assert pbx.waiting() == [] and (file.stat().st_ino, file.stat().st_nlink) == (before.st_ino, 1)


@pytest.mark.parametrize("folder", [".", "2024/11/25", "elsewhere/deep"])
def test_a_recording_is_found_wherever_the_dialplan_put_it(make: Callable[..., Pbx], folder: str) -> None:
    pbx = make(f"http://127.0.0.1:{free_port()}/")
    pbx.record(f"{folder}/x-{UNIQUEID}.wav")
    pbx.record(f"{folder}/x-{UNIQUEID}9.wav")  # of another channel
    pbx.run("recording", UNIQUEID, status=1)
    assert [event["filename"] for event in pbx.waiting()] == [f"x-{UNIQUEID}.wav"]


def test_what_a_caller_chose_to_be_called_does_nothing_but_stand_in_the_event(
    make: Callable[..., Pbx], tmp_path: Path
) -> None:
    pbx = make(f"http://127.0.0.1:{free_port()}/")
    evil = f"in-5010-$(touch {'x' * 3})`touch y`';touch z;\"\\ é\n\x01*-20241125-161354-{UNIQUEID}.wav"
    pbx.record(evil)
    pbx.message(0, callerid='"A \\"quoted\\" B\\\\;$(touch x)\t\udce9 \U0001f600" <`touch y`>')
    pbx.run("recording", UNIQUEID, status=1)
    pbx.run("voicemail", "default", "5010", "1", "0", "0", status=1)
    recording, message = pbx.waiting()
    assert recording["filename"] == evil.replace("\n", "").replace("\x01", "")
    assert message["from"] == "`touch y`"
    assert message["from_name"] == 'A \\"quoted\\" B\\\\;$(touch x)é \U0001f600'
    assert not [path for path in Path.cwd().iterdir() if path.name in "xyz" or path.name == "xxx"]


@pytest.mark.parametrize("words", [("$(id)",), ("../x",), ("a b",), ("",), ("1.2", "x;y"), (".",)])
def test_words_that_are_no_ids_are_refused(make: Callable[..., Pbx], words: tuple[str, ...]) -> None:
    pbx = make(f"http://127.0.0.1:{free_port()}/")
    assert "recording: the words have to be" in pbx.run("recording", *words, status=2)
    assert "voicemail: the words have to be" in pbx.run("voicemail", "default", *words[-1:], status=2)


def test_a_call_that_nobody_took_leaves_nothing_to_send(make: Callable[..., Pbx]) -> None:
    pbx = make(f"http://127.0.0.1:{free_port()}/")
    pbx.record(f"x-{UNIQUEID}.wav", sound_of(0.9))
    pbx.run("recording", UNIQUEID)
    assert pbx.waiting() == []
    assert "There is no recording of channel 9.9" in pbx.run("recording", "9.9")


def test_new_messages_are_sent_and_old_ones_are_not(
    pbx: Pbx, appliance: Appliance, place: tuple[str, str]
) -> None:
    old = pbx.message(0, msg_id="old-1")
    os.utime(old.with_suffix(".txt"), (1_600_000_000, 1_600_000_000))  # from before the installation
    pbx.message(1, msg_id="new-1", kinds=("WAV", "gsm", "wav"))
    pbx.message(0, folder="Urgent", msg_id="new-2", callerid="Unknown")
    pbx.message(0, folder="Old", msg_id="heard")
    for _ in range(2):
        assert pbx.run("voicemail", "default", "5010", "2", "0", "1") == ""
    # Heard and deleted: the others move up, and keep their ids.
    for kind in ("txt", "wav"):
        old.with_suffix(f".{kind}").unlink()
        (old.parent / f"msg0001.{kind}").rename(old.with_suffix(f".{kind}"))
    pbx.run("voicemail", "default", "5010", "1", "0", "1")
    first, second = events(appliance, place[0])
    assert first["source_id"] == "voicemail-default-5010-new-1" and first["mailbox"] == "5010@default"
    assert (first["from"], first["from_name"], first["to"]) == ("+12025550123", "Clearly IP", "5010")
    assert (first["timestamp"], first["duration_seconds"]) == ("2024-11-25T16:15:00.000000Z", 2)
    assert first["filename"] == "voicemail-5010-new-1.mp3"
    assert (second["source_id"], second["from"]) == ("voicemail-default-5010-new-2", "")


def test_what_cannot_be_sent_waits_and_goes_out_in_order(
    make: Callable[..., Pbx], appliance: Appliance, place: tuple[str, str]
) -> None:
    pbx = make(f"http://127.0.0.1:{free_port()}/api/media")
    ids = [f"173255123{n}.1" for n in range(3)]
    for uniqueid in ids:
        file = pbx.record(f"x-{uniqueid}.wav")
        assert "answer 000" in pbx.run("recording", uniqueid, status=1)
        file.unlink()  # the phone system may clear up meanwhile
    assert len(pbx.waiting()) == 3
    pbx.point_to(f"{appliance.url}/api/media", "a token that was rotated")
    assert "answer 401" in pbx.run("retry", status=1)
    pbx.point_to(f"{appliance.url}/api/media", place[1])
    assert pbx.run("retry") == ""
    assert [event["uniqueid"] for event in events(appliance, place[0])] == ids
    assert pbx.waiting() == [] and pbx.failed() == []


def test_what_the_appliance_refuses_is_moved_aside_with_the_answer_and_holds_up_nothing(
    pbx: Pbx, appliance: Appliance, place: tuple[str, str]
) -> None:
    file = pbx.record(f"x-{UNIQUEID}.wav", b"no sound at all " * 2000)
    pbx.record("x-2.1.wav")
    assert "The appliance answered 422" in pbx.run("recording", UNIQUEID)
    pbx.run("recording", "2.1")
    (failed,) = pbx.failed()
    assert json.loads((failed / "answer").read_text())["status"] == 422
    assert (failed / "audio").read_bytes() == file.read_bytes()
    assert [event["uniqueid"] for event in events(appliance, place[0])] == ["2.1"]


def test_a_fault_of_one_recording_holds_up_no_other_and_a_week_is_enough(
    make: Callable[..., Pbx], receiver: Receiver
) -> None:
    receiver.answers["/media"] = [500, 500, 202, 503]
    pbx = make(receiver.url("/media"))
    for uniqueid in ("1.1", "2.1"):
        pbx.record(f"x-{uniqueid}.wav")
        assert "answer 500" in pbx.run("recording", uniqueid)
    assert [event["uniqueid"] for event in pbx.waiting()] == ["1.1"]
    (entry,) = (pbx.folder / "spool").iterdir()
    assert "answer 503" in pbx.run("retry", status=1)
    long_ago = time.time() - 9 * 86_400
    os.utime(entry / "event", (long_ago, long_ago))
    assert "could not be sent for 7 days (answer 503)" in pbx.run("retry")
    assert pbx.waiting() == [] and len(pbx.failed()) == 1


def test_the_log_stays_short(pbx: Pbx) -> None:
    pbx.run("retry")
    log = pbx.folder / "log"
    log.write_text("x" * 1_000_001)
    for _ in range(2):
        assert pbx.run("retry") == ""
    assert log.stat().st_size == 0 and (pbx.folder / "log.1").stat().st_size == 1_000_001


def test_a_full_spool_takes_no_more_and_says_so(make: Callable[..., Pbx]) -> None:
    pbx = make(f"http://127.0.0.1:{free_port()}/")
    for number in range(1000):
        (pbx.folder / "spool" / f"{number:010}").mkdir(parents=True)
    pbx.record(f"x-{UNIQUEID}.wav")
    assert "The spool is full" in pbx.run("recording", UNIQUEID, status=None)
    message = pbx.message(0)
    pbx.run("voicemail", "default", "5010", status=None)
    assert pbx.waiting() == []
    for entry in (pbx.folder / "spool").iterdir():
        entry.rmdir()
    pbx.run("voicemail", "default", "5010", status=1)  # it was not taken for seen
    assert [event["mailbox"] for event in pbx.waiting()] == ["5010@default"] and message.with_suffix(
        ".wav"
    ).exists()


def test_many_at_once_send_each_recording_once(make: Callable[..., Pbx], receiver: Receiver) -> None:
    receiver.answers["/media"] = [Answer(202, seconds=0.05)]
    pbx = make(receiver.url("/media"))
    ids = [f"{n}.1" for n in range(1, 9)]
    for uniqueid in ids:
        pbx.record(f"x-{uniqueid}.wav")
    pbx.message(0)
    words = [("recording", uniqueid) for uniqueid in ids] + [("voicemail", "default", "5010")] * 4
    with ThreadPoolExecutor(len(words)) as threads:
        list(threads.map(lambda one: pbx.run(*one), words))
    assert len(receiver.requests) == 9 and pbx.waiting() == []


def test_the_token_is_in_no_command_line(make: Callable[..., Pbx], receiver: Receiver) -> None:
    seen: list[bytes] = []

    def look(_: Any) -> None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(path.read_bytes())
            except OSError:
                continue

    receiver.answers["/media"] = [Answer(raw=look)]
    pbx = make(receiver.url("/media"), "the-secret-token")
    pbx.record(f"x-{UNIQUEID}.wav")
    pbx.run("recording", UNIQUEID, status=1)
    assert receiver.requests[0].headers["authorization"] == "Bearer the-secret-token"
    assert any(str(pbx.config).encode() in line for line in seen)
    assert not any(b"the-secret-token" in line for line in seen)


def test_check_says_what_is_wrong(pbx: Pbx, appliance: Appliance, place: tuple[str, str]) -> None:
    said = pbx.run("check")
    assert "The appliance answers and knows the token." in said and "Waiting to be sent: 0." in said
    pbx.point_to(f"{appliance.url}/api/media", "wrong")
    assert "enter the location's token" in pbx.run("check", status=1)
    pbx.point_to(f"http://127.0.0.1:{free_port()}/")
    assert "does not answer as it should" in pbx.run("check", status=1)
    pbx.config.unlink()
    assert "cannot be read" in pbx.run("check", status=1)
