"""Whatever a PBX records in arrives as an MP3 that plays: the right length, the right sound."""

from collections.abc import Callable

import pytest
from appliance import Appliance
from media import client, sounds
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

SECONDS = 2.3


def _wav(rate: int, width: int, sides: int) -> Callable[[], bytes]:
    return lambda: sounds.wav(rate, [sounds.speech(rate, SECONDS, n) for n in range(sides)], width)


def _sides(count: int, rate: int = 8000) -> list[list[float]]:
    return [sounds.speech(rate, SECONDS, n) for n in range(count)]


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{
        f"PCM {8 * width} bit, {rate} Hz, {sides} side(s)": ("wav", _wav(rate, width, sides))
        for rate, width, sides in [
            (8000, 1, 1), (8000, 2, 1), (8000, 2, 2), (11025, 2, 1), (16000, 2, 1), (16000, 3, 2),
            (22050, 1, 2), (32000, 2, 1), (44100, 2, 1), (48000, 3, 1), (48000, 2, 2),
        ]
    },
    "µ-law": ("wav", lambda: sounds.g711("pcm_mulaw", [sounds.speech(8000, SECONDS)])),
    "A-law": ("wav", lambda: sounds.g711("pcm_alaw", [sounds.speech(8000, SECONDS)])),
    "µ-law, stereo": ("wav", lambda: sounds.g711("pcm_mulaw", _sides(2))),
    "GSM 6.10": ("wav", lambda: sounds.gsm(sounds.speech(8000, SECONDS))),
    "Ogg Opus": ("ogg", lambda: sounds.coded("libopus", "ogg", 48000, _sides(1, 48000), 32000)),
    "Ogg FLAC": ("ogg", lambda: sounds.coded("flac", "ogg", 16000, [sounds.speech(16000, SECONDS)])),
    "MP3": ("mp3", lambda: sounds.coded("libmp3lame", "mp3", 22050, _sides(1, 22050), 48000)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_it_arrives_as_an_mp3_that_plays_the_same(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver, name: str
) -> None:
    kind, make = FORMATS[name]
    source = make()
    appliance.webhook(place[0], receiver.url("/media"), "media")
    answer = client.send(appliance, place[1], source)
    assert answer.status_code == 202, answer.text
    payload = client.arrived(receiver, "/media").json
    got = client.fetch(appliance, payload["attachments"])
    assert got.status_code == 200 and got.headers["Content-Type"] == "audio/mpeg"
    assert len(got.content) <= max(20_000, len(source)) * 2
    rate, heard = sounds.decoded(got.content, "mp3")
    _, meant = sounds.decoded(source, kind, rate)
    assert len(heard) == len(meant)
    for side, original in zip(heard, meant, strict=True):
        assert abs(len(side) - len(original)) / rate <= 0.1
        assert sounds.likeness(side, original) > 0.97
    (shown,) = [
        one for one in appliance.cli("media", "list", "--limit", 1000) if one["id"] in payload["attachments"]
    ]
    assert abs(shown["seconds"] - len(meant[0]) / rate) <= 0.1 and shown["channels"] == len(meant)


def test_two_sides_that_are_the_same_become_one(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver
) -> None:
    voice = sounds.speech(8000, 1.5)
    appliance.webhook(place[0], receiver.url("/media"), "media")
    client.send(appliance, place[1], sounds.wav(8000, [voice, voice]))
    got = client.fetch(appliance, client.arrived(receiver, "/media").json["attachments"])
    assert len(sounds.decoded(got.content, "mp3")[1]) == 1


def test_an_mp3_is_passed_on_byte_for_byte(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver
) -> None:
    source = sounds.coded("libmp3lame", "mp3", 44100, [sounds.speech(44100, 1)], 64000)
    appliance.webhook(place[0], receiver.url("/media"), "media")
    client.send(appliance, place[1], source, "greeting.mp3")
    payload = client.arrived(receiver, "/media").json
    assert client.fetch(appliance, payload["attachments"]).content == source
    assert payload["filename"] == "greeting.mp3"


@pytest.mark.databases("all")
def test_the_payload_is_the_seeds(appliance: Appliance, place: tuple[str, str], receiver: Receiver) -> None:
    appliance.webhook(place[0], receiver.url("/media"), "media")
    answer = client.send(
        appliance, place[1], sounds.wav(8000, [sounds.speech(8000, 1)]), client.NAME,
        type="voicemail", thread_id="T", to_name="Dade", from_name="Clearly", custom=1.50,
        attachments="mine", content_type="x/y", timestamp="2024-07-19T00:00:00Z",
    )  # fmt: skip
    got = client.arrived(receiver, "/media").json
    assert list(got) == [
        "id", "thread_id", "to", "from", "to_name", "from_name", "type", "filename", "content_type",
        "attachments", "timestamp", "custom",
    ]  # fmt: skip
    assert (
        got["filename"] == client.NAME.removesuffix(".wav") + ".mp3" and got["content_type"] == "audio/mpeg"
    )
    assert set(answer.json()) == {"id", "media_id", "deliveries"}
    assert f"/api/media/download/{answer.json()['media_id']}?expires=" in got["attachments"]
    assert got["id"] == answer.json()["id"] and answer.json()["deliveries"] == 1
