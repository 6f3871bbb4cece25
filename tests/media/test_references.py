"""Recordings that an event names: in a spool folder, or at an address; nowhere else."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from appliance import Appliance
from media import client
from receiver import Answer, Receiver

pytestmark = pytest.mark.databases("one")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "spool"
    (folder / "deep").mkdir(parents=True)
    yield folder


def test_a_file_in_a_spool_folder_is_taken_and_one_outside_is_not(
    start_appliance: Callable[..., Appliance], receiver: Receiver, spool: Path, tmp_path: Path, voice: bytes
) -> None:
    one = start_appliance(SPOKE_SPOOL_DIRS=str(spool))
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    inside = spool / "deep" / "msg0001.wav"
    inside.write_bytes(voice)
    (spool / "link.wav").symlink_to(inside)
    good = (inside, spool / "link.wav", spool / "deep" / ".." / "deep" / inside.name)
    for count, path in enumerate(good, 1):
        answer = client.refer(one, token, media_path=str(path), note="kept")
        assert answer.status_code == 202, answer.text
        payload = client.arrived(receiver, "/media", count).json
        assert payload["filename"] == f"{path.stem}.mp3" and payload["note"] == "kept"
        assert "media_path" not in payload and "media_url" not in payload
        assert client.fetch(one, payload["attachments"]).status_code == 200
    assert inside.read_bytes() == voice
    outside = tmp_path / "outside.wav"
    outside.write_bytes(voice)
    (spool / "out.wav").symlink_to(outside)
    (spool / "up").symlink_to(tmp_path)
    os.mkfifo(spool / "pipe")
    (tmp_path / "spool2").mkdir()
    (tmp_path / "spool2" / "a.wav").write_bytes(voice)
    before = client.files(one)
    bad: list[Path | str] = [
        outside, spool / "out.wav", spool / "up" / "outside.wav", spool / ".." / "outside.wav",
        spool / "pipe", spool / "deep", spool / "none.wav", tmp_path / "spool2" / "a.wav",
        "deep/msg0001.wav", "/dev/zero", "/etc/passwd", f"{spool}/a\0b", "", "/" * 5000,
    ]  # fmt: skip
    for wrong in map(str, bad):
        answer = client.refer(one, token, media_path=wrong)
        assert answer.status_code == 422, (wrong, answer.text)
    assert client.files(one) == before
    assert len(receiver.at("/media")) == 3


def test_without_spool_folders_no_path_is_taken(appliance: Appliance, place: tuple[str, str]) -> None:
    answer = client.refer(appliance, place[1], media_path="/etc/passwd")
    assert answer.status_code == 422 and "SPOKE_SPOOL_DIRS" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "/media_path"


@pytest.mark.databases("all")
def test_an_address_is_fetched(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver, voice: bytes
) -> None:
    appliance.webhook(place[0], receiver.url("/media"), "media")
    receiver.answers["/rec/a.wav"] = [Answer(body=voice)]
    receiver.answers["/rec/msg%201%2F%C3%A4.wav"] = [Answer(body=voice)]
    for count, (address, name) in enumerate(
        [("/rec/a.wav?x=1", "a.mp3"), ("/rec/msg%201%2F%C3%A4.wav#part.2", "ä.mp3")], 1
    ):
        answer = client.refer(appliance, place[1], media_url=receiver.url(address))
        assert answer.status_code == 202, answer.text
        payload = client.arrived(receiver, "/media", count).json
        assert payload["filename"] == name and "media_url" not in payload
        assert client.fetch(appliance, payload["attachments"]).status_code == 200
    assert receiver.at("/rec/a.wav?x=1")[0].headers["user-agent"].startswith("Spoke-Webhooks/")


@pytest.mark.parametrize(
    ("url", "status", "word"),
    [
        ("http://169.254.169.254/latest/meta-data", 422, "SPOKE_ALLOW_NETS"),
        ("http://0xA9FEA9FE/", 422, "SPOKE_ALLOW_NETS"),
        ("file:///etc/passwd", 422, "http://"),
        ("ftp://a/b", 422, "http://"),
        ("http://user:secret@127.0.0.1/", 422, "password"),
        ("http://no-such-host.invalid/", 502, "resolve"),
        ("http://127.0.0.1:1/", 502, "refused"),
    ],
)
def test_an_address_that_may_not_be_called_or_gives_nothing(
    appliance: Appliance, place: tuple[str, str], url: str, status: int, word: str
) -> None:
    before = client.files(appliance)
    answer = client.refer(appliance, place[1], media_url=url)
    assert answer.status_code == status and word in answer.json()["detail"], answer.text
    assert client.files(appliance) == before


def test_what_an_address_answers_is_judged(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver, voice: bytes
) -> None:
    before = client.files(appliance)
    receiver.answers["/404"] = [404]
    receiver.answers["/moved"] = [Answer(302, {"Location": receiver.url("/a.wav")})]
    receiver.answers["/text"] = [Answer(body=b"hello")]

    def short(handler: object) -> None:
        handler.wfile.write(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + voice
        )

    receiver.answers["/short"] = [Answer(raw=short)]
    for path, status in (("/404", 502), ("/moved", 502), ("/text", 422), ("/short", 502)):
        answer = client.refer(appliance, place[1], media_url=receiver.url(path))
        assert answer.status_code == status, answer.text
    assert client.files(appliance) == before and not receiver.at("/a.wav")
