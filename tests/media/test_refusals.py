"""Bad input: a clear refusal, and nothing left behind."""

import io
import json
import os
import random
import struct
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from appliance import Appliance, Visitor, eventually
from media import client, mutants, sounds
from receiver import Receiver

pytestmark = pytest.mark.databases("one")


def good(seconds: float = 1) -> bytes:
    return sounds.wav(8000, [sounds.speech(8000, seconds)])


def promising(size: int) -> bytes:
    made = bytearray(good())
    struct.pack_into("<I", made, 40, size)
    return bytes(made)


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.mp3", bytes(50_000_000))
    return file.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "text named .mp3": (lambda: b"This is not a song.\n" * 100, "no recording"),
    "an empty file": (lambda: b"", "empty"),
    "a truncated WAV": (lambda: good()[:5000], "cut off"),
    "a WAV of a head alone": (lambda: good()[:30], "cut off"),
    "a WAV that promises nearly 2 GB": (lambda: promising(0x7F000000), "cut off"),
    "a WAV of an unknown format": (lambda: sounds.wav_of(0x7A21, 1, 8000, 16, bytes(16000)), "coded"),
    "a WAV of 255 channels": (lambda: sounds.wav_of(1, 255, 8000, 16, bytes(51000)), "channels"),
    "a WAV of too high a rate": (
        lambda: sounds.wav_of(1, 1, 2**31 - 1, 16, bytes(16000)),
        "samples a second",
    ),
    "a WAV of one sample a second": (lambda: sounds.wav_of(1, 1, 1, 16, bytes(60000)), "samples a second"),
    "a zip bomb": (zip_bomb, "no recording"),
    "a playlist": (lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "no recording"),
    "a concat script": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", "no recording"),
    "noise behind an MP3's first bytes": (lambda: b"ID3\x04" + b"\x00\xff" * 5000, "mp3"),
    "noise behind an Ogg's first bytes": (lambda: b"OggS" + bytes(5000), "ogg"),
    "a WAV without sound": (lambda: sounds.wav(8000, [[]]), "sound"),
    "a picture in an Ogg's clothes": (lambda: b"RIFF\x10\0\0\0WEBPVP8 \x04\0\0\0abcd", "no recording"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_audio_is_refused_at_once(appliance: Appliance, place: tuple[str, str], name: str) -> None:
    make, word = BAD[name]
    before = client.files(appliance), appliance.rows("SELECT count(*) AS n FROM event")[0].n
    answer = client.send(appliance, place[1], make())
    assert answer.status_code == 422 and word in answer.json()["detail"], answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (client.files(appliance), appliance.rows("SELECT count(*) AS n FROM event")[0].n) == before


@pytest.mark.parametrize("kind", ["mp3", "ogg", "mp3 cut off"])
@pytest.mark.databases("all")
def test_what_breaks_later_is_sent_as_far_as_it_is_there_and_says_so(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver, kind: str
) -> None:
    rate, codec = (48000, "flac") if kind == "ogg" else (24000, "libmp3lame")
    made = bytearray(sounds.coded(codec, kind[:3], rate, [sounds.speech(rate, 6)]))
    half = len(made) // 2
    if kind == "mp3 cut off":
        del made[half:]
    else:
        made[half : half + len(made) // 4] = b"\xaa" * (len(made) // 4)
    appliance.webhook(place[0], receiver.url("/media"), "media")
    event = '{"type": "voicemail", "\\u0065rror": "mine", "x" : 1.50 , "y": {"error": 1}}'
    answer = form(appliance, place[1], [("event", (None, event)), ("file", ("a.wav", bytes(made)))])
    assert answer.status_code == 202, answer.text
    payload = client.arrived(receiver, "/media").json
    assert "breaks off after" in payload["error"] and payload["filename"] == "a.mp3"
    body = receiver.at("/media")[0].body
    assert b'"x":1.50' in body and payload["y"] == {"error": 1}
    assert [key for key, _ in json.loads(body, object_pairs_hook=list)].count("error") == 1
    media_id = answer.json()["media_id"]
    eventually(
        lambda: (
            [n for n in client.files(appliance) if media_id in n] == [f"mp3/{media_id[:2]}/{media_id}.mp3"]
        )
    )
    heard_rate, (heard,) = sounds.decoded(client.fetch(appliance, payload["attachments"]).content, "mp3")
    assert 2.8 <= len(heard) / heard_rate <= (3.2 if kind == "mp3 cut off" else 6.1)
    (shown,) = [one for one in appliance.cli("media", "list", "--limit", 1000) if one["id"] == media_id]
    assert shown["reason"] == payload["error"] and shown["state"] == "ready"
    page = Visitor(appliance).get(f"/deliveries/{appliance.cli('delivery', 'list')[0]['id']}").text
    assert "breaks off after" in page and "<audio" in page


def form(appliance: Appliance, token: str, files: Any, **more: Any) -> Any:
    return appliance.post("/api/media", files=files, headers={"Authorization": f"Bearer {token}"}, **more)


def with_file(event: str) -> list[tuple[str, Any]]:
    return [("event", (None, event)), ("file", ("a", b"x"))]


EVENT = json.dumps({"type": "voicemail"})


@pytest.mark.parametrize(
    ("files", "status", "word"),
    [
        ([("file", ("a.wav", b"x"))], 422, "has no part 'event'"),
        ([("event", (None, "{")), ("file", ("a.wav", b"x"))], 400, "not JSON"),
        ([("event", (None, EVENT)), ("event", (None, EVENT)), ("file", ("a.wav", b"x"))], 422, "twice"),
        ([("event", (None, EVENT)), ("file", ("a", b"x")), ("file", ("b", b"x"))], 422, "two files"),
        ([("event", (None, EVENT))], 422, "no recording"),
        ([("event", (None, f"[{EVENT}]")), ("file", ("a.wav", b"x"))], 422, "one event"),
        (with_file('{"type":"incoming_call","subtype":"ringing"}'), 422, "/type"),
        (with_file('{"type":"voicemail","subtype":"ended"}'), 422, "/subtype"),
        (with_file('{"type":"voicemail","filename":7}'), 422, "/filename"),
        (with_file('{"type":"voicemail","media_url":"http://a"}'), 422, "twice"),
        (with_file(EVENT[:-1] + ' ,"x":"' + "y" * (1 << 20) + '"}'), 413, "SPOKE_MAX_BODY"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_right_is_refused(
    appliance: Appliance, place: tuple[str, str], files: Any, status: int, word: str
) -> None:
    before = client.files(appliance)
    answer = form(appliance, place[1], files)
    assert answer.status_code == status and word in answer.text, answer.text
    assert client.files(appliance) == before


def test_who_has_no_token_or_sends_something_else(appliance: Appliance, place: tuple[str, str]) -> None:
    assert client.send(appliance, "wrong", good()).status_code == 401
    for kind in ("text/plain", "multipart/form-data"):
        headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": kind}
        assert appliance.post("/api/media", data=b"x", headers=headers).status_code == 415
    headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": "multipart/form-data; boundary=abc"}
    assert appliance.post("/api/media", data=b"--abc\r\n", headers=headers).status_code == 400
    for address in (f"/api/media?token={place[1]}", f"/api/media/t/{place[1]}"):
        files = {"event": (None, EVENT), "file": ("a.wav", good())}
        assert appliance.post(address, files=files).status_code == 202
    appliance.cli("location", "pause", place[0])
    assert client.send(appliance, place[1], good()).status_code == 403


def test_the_event_may_come_behind_its_file(appliance: Appliance, place: tuple[str, str]) -> None:
    answer = form(
        appliance, place[1], [("x", (None, "y")), ("file", ("a.wav", good())), ("event", (None, EVENT))]
    )
    assert answer.status_code == 202


@pytest.mark.databases("all")
def test_a_duplicate_is_told_and_its_file_not_kept(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver
) -> None:
    appliance.webhook(place[0], receiver.url("/media"), "media")
    event_id = str(uuid.uuid4())
    first = client.send(appliance, place[1], good(), id=event_id)
    assert first.status_code == 202
    client.arrived(receiver, "/media")
    eventually(lambda: not any("waiting" in name for name in client.files(appliance)))
    before = client.files(appliance)
    again = client.send(appliance, place[1], good(2), id=event_id)
    assert again.status_code == 200
    assert again.json() == {"id": event_id, "deliveries": 1, "duplicate": True}
    assert client.files(appliance) == before and len(receiver.at("/media")) == 1


def test_too_large_a_file_is_refused_announced_or_not(
    start_appliance: Callable[..., Appliance],
) -> None:
    one = start_appliance(SPOKE_MAX_MEDIA="100000")
    token = one.location("Office")
    assert client.send(one, token, good(60)).status_code == 413
    assert client.send(one, token, good(6.6)).status_code == 413  # the form as a whole would be allowed
    boundary = b"abc"
    body = (
        b'--abc\r\nContent-Disposition: form-data; name="event"\r\n\r\n' + EVENT.encode() + b"\r\n--abc\r\n"
        b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + good(60) + b"\r\n--abc--\r\n"
    )
    headers = {"Authorization": f"Bearer {token}"}
    headers["Content-Type"] = f"multipart/form-data; boundary={boundary.decode()}"
    chunked = one.post(
        "/api/media", data=(body[n : n + 9000] for n in range(0, len(body), 9000)), headers=headers
    )
    assert chunked.status_code == 413 and "SPOKE_MAX_MEDIA" in chunked.json()["detail"]
    assert client.files(one) == []
    assert client.send(one, token, good(5)).status_code == 202


def test_with_little_disk_media_are_refused_and_events_taken(
    start_appliance: Callable[..., Appliance], tmp_path: Path
) -> None:
    """A file system of its own would need root: the limit is what the test raises."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import shutil\nold = shutil.disk_usage\n"
        "shutil.disk_usage = lambda path: old(path)._replace(free=199_999_999)\n"
    )
    one = start_appliance(PYTHONPATH=str(site))
    token = one.location("Office")
    answer = client.send(one, token, good())
    assert answer.status_code == 507 and "200 MB" in answer.json()["detail"]
    assert one.event(token, type="incoming_call", subtype="ringing").status_code == 202
    assert client.files(one) == []


def test_mutated_recordings_stop_nothing(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver
) -> None:
    """A few of many: tests/soak/mutated_audio.py."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    print(f"SEED={seed}")
    appliance.webhook(place[0], receiver.url("/media"), "media")
    before = {process.pid for process in appliance.family()}
    statuses = [client.send(appliance, place[1], data).status_code for data in mutants.mutants(seed, 30)]
    assert set(statuses) <= {202, 422}, statuses
    client.send(appliance, place[1], good(), thread_id="good")
    got = receiver.wait("/media", statuses.count(202) + 1, seconds=60)
    assert next(one for one in got if one.json["thread_id"] == "good").json["attachments"]
    assert before <= {process.pid for process in appliance.family()}
