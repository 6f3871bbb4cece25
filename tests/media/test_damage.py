"""What files of phone systems are like: lengths that are unknown or wrong, padding, junk, damage."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from media import sounds

from webhooks.errors import NoAudio
from webhooks.media import decoding, riff
from webhooks.media.filenames import clean
from webhooks.media.payload import with_error, with_link
from webhooks.media.transcode import Limits, Sound, convert, probe

HEAD = 44  # bytes of a plain WAV
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf61.7.100\0\0"


def taken(data: bytes, check: Callable[[float], object] = lambda _: None) -> tuple[Sound, bytes]:
    """What becomes of a file that the door takes."""
    probe(io.BytesIO(data))
    target = io.BytesIO()
    sound = convert(io.BytesIO(data), target, Limits(1 << 28, check))
    return sound, target.getvalue()


def pcm(seconds: float = 2) -> bytes:
    return sounds.wav(8000, [sounds.speech(8000, seconds)])


def with_length(data: bytes, length: int) -> bytes:
    """The same file, whose ``data`` chunk says another length."""
    made = bytearray(data)
    struct.pack_into("<I", made, made.index(b"data") + 4, length)
    return bytes(made)


def gsm(blocks: int) -> bytes:
    """As Asterisk closes it: the pad byte is there, and counted."""
    made = sounds.gsm([0.0] * 320 * blocks)
    return with_length(made, 65 * blocks + blocks % 2)


@pytest.mark.parametrize("blocks", [1, 50, 51])
def test_gsm_of_any_number_of_blocks_is_whole(blocks: int) -> None:
    closed = gsm(blocks)
    padless = closed[: closed.index(b"data") + 8 + 65 * blocks]
    for data in (closed, padless, with_length(closed, 65 * blocks), with_length(padless, 0)):
        sound, made = taken(data)
        assert sound == Sound(40 * blocks, 1)
        rate, (heard,) = sounds.decoded(made, "mp3")
        assert abs(len(heard) / rate - 0.04 * blocks) < 0.03


@pytest.mark.parametrize("kind", ["PCM", "24 bit, stereo", "A-law", "GSM", "ADPCM"])
def test_what_stands_behind_the_last_whole_block_is_no_damage(kind: str) -> None:
    voice = sounds.speech(8000, 2)
    whole = {
        "PCM": lambda: pcm(), "24 bit, stereo": lambda: sounds.wav(8000, [voice, voice[::-1]], 3),
        "A-law": lambda: sounds.g711("pcm_alaw", [voice]), "GSM": lambda: gsm(50),
        "ADPCM": lambda: sounds.coded("adpcm_ima_wav", "wav", 8000, [voice]),
    }[kind]()  # fmt: skip
    start = whole.index(b"data") + 8
    length = len(whole) - start
    for data in (whole + b"\0", with_length(whole, length + 1) + b"\0", with_length(whole, length + 1)):
        sound, _ = taken(data)
        assert sound.fault is None and abs(sound.milliseconds - 2000) <= 130, (sound, kind)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0xFFFFFFDB, 0x7FFFF000, 0x7FFFFFFF, 0x7FFFFF00, 0])
def test_a_length_that_a_pipe_does_not_know_is_unknown(length: int) -> None:
    for data in (pcm(), gsm(50), sounds.wav_of(7, 1, 8000, 8, b"\x80" * 16000)):
        sound, _ = taken(with_length(data, length))
        assert (sound.milliseconds, sound.fault) == (2000, None)


def test_more_than_is_promised_is_taken_and_other_chunks_are_no_sound() -> None:
    assert taken(with_length(pcm(), 4000))[0].milliseconds == 2000
    assert taken(with_length(gsm(50), 650))[0].milliseconds == 2000
    odd = sounds.wav_of(7, 1, 8000, 8, b"\x80" * 15999)
    for data in (pcm() + LIST, pcm() + LIST * 3, odd + b"\0" + LIST, odd + LIST):
        sound, _ = taken(data)
        assert round(sound.milliseconds, -1) == 2000 and sound.fault is None
    with pytest.raises(NoAudio, match="no sound"):
        probe(io.BytesIO(sounds.wav(8000, [[]]) + LIST))


def test_less_than_is_promised_is_refused_and_a_little_less_is_not() -> None:
    assert taken(pcm()[:-300])[0].fault is None
    with pytest.raises(NoAudio, match="cut off: its header promises 32,000 bytes of sound, 31,000 are"):
        probe(io.BytesIO(pcm()[:-1000]))


def test_an_extensible_head_is_read(tmp_path: Path) -> None:
    plain = sounds.wav(16000, [sounds.speech(16000, 1)], 4)
    fmt = plain[20:36]
    subtype = b"\1\0" + bytes.fromhex("000000001000800000aa00389b71")
    longer = b"\xfe\xff" + fmt[2:] + struct.pack("<HHI", 22, 24, 4) + subtype
    data = plain[:16] + struct.pack("<I", len(longer)) + longer + plain[36:]
    _, made = taken(data)
    rate, (heard,) = sounds.decoded(made, "mp3")
    assert sounds.likeness(heard, sounds.decoded(plain, "wav", rate)[1][0]) > 0.97


@pytest.mark.parametrize(
    ("data", "word"),
    [
        *(
            (sounds.wav_of(1, channels, 8000, 16, bytes(51000)), "channels")
            for channels in (0, 9, 33, 64, 255)
        ),
        *((sounds.wav_of(1, 1, rate, 16, bytes(60000)), "samples a second") for rate in (0, 1, 3999, 192001)),
        *((sounds.wav_of(tag, 1, 8000, 16, bytes(16000)), "coded") for tag in (0, 0x7A21, 0xFFFE, 0xFFFF)),
        (sounds.wav_of(1, 1, 8000, 200, bytes(16000)), "coded"),
        (pcm()[:36] + b"junk\0\0\0\0" * 1000 + pcm()[36:], "chunks"),
        (pcm()[:12] + pcm()[36:], "how its sound is coded"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_a_sentence(data: bytes, word: str) -> None:
    with pytest.raises(NoAudio, match=word):
        probe(io.BytesIO(data))


def test_eight_channels_and_high_rates_are_taken() -> None:
    assert taken(sounds.wav_of(1, 8, 192_000, 16, bytes(16 * 192_000)))[0] == Sound(1000, 2)
    assert taken(sounds.wav_of(1, 1, 4000, 8, bytes(4000)))[0].milliseconds == 1000


def test_more_than_four_hours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(with_length(sounds.wav_of(7, 1, 8000, 8, b""), 0xFFFFFFFF))
    for hours, fits in ((3.99, True), (4.01, False)):
        with path.open("r+b") as file:
            file.truncate(HEAD + round(hours * 3600 * 8000))  # of holes
            if fits:
                assert probe(file) == round(hours * 3_600_000)
            else:
                with pytest.raises(NoAudio, match=r"4\.0 hours long; 4 hours are taken at most"):
                    probe(file)


def mp3(seconds: float = 3) -> bytes:
    return sounds.coded("libmp3lame", "mp3", 24000, [sounds.speech(24000, seconds)], 48000)


@pytest.mark.parametrize("front", ["zeros", "many zeros", "half a frame", "a tag", "a tag of a picture"])
def test_an_mp3_with_something_in_front_is_taken_as_it_is(front: str) -> None:
    whole = mp3()
    before = {
        "zeros": bytes(100), "many zeros": bytes(200_000), "half a frame": whole[-72:],
        "a tag": b"ID3\3\0\0\0\0\x02\0" + b"TIT2\0\0\0\5\0\0\0\xff\xfe\xff\xfb" + bytes(241),
        "a tag of a picture": b"ID3\3\0\0\0\x40\0\0" + bytes(range(256)) * 4096,
    }[front]  # fmt: skip
    sound, made = taken(before + whole)
    assert sound.as_it_is and sound.fault is None and made == b""
    assert abs(sound.milliseconds - 3000) < 100
    assert taken(before + whole + b"TAG" + b"\xe9" * 125)[0].as_it_is


def test_text_and_other_files_with_an_mp3_deep_inside_are_none() -> None:
    for data in (b"\xff\xfb\x90" * 100, b"PK\3\4" + b"x" * 70_000 + mp3(), b"\0" * 5000):
        with pytest.raises(NoAudio):
            probe(io.BytesIO(data))


def damaged(made: bytes, share: float = 0.25) -> bytes:
    half, part = len(made) // 2, round(len(made) * share)
    return made[:half] + b"\xaa" * part + made[half + part :]


@pytest.mark.parametrize("codec", ["libmp3lame", "flac", "libopus"])
def test_what_is_there_of_a_damaged_recording_is_made_an_mp3(codec: str) -> None:
    kind, rate = ("mp3", 24000) if codec == "libmp3lame" else ("ogg", 48000)
    whole = sounds.coded(codec, kind, rate, [sounds.speech(rate, 6)])
    sound, made = taken(damaged(whole))
    assert sound.fault and "breaks off after" in sound.fault and not sound.as_it_is
    assert 2500 < sound.milliseconds < 6100
    out, (heard,) = sounds.decoded(made, "mp3")
    assert abs(len(heard) / out - sound.milliseconds / 1000) < 0.1
    meant = sounds.decoded(whole, kind, out)[1][0]
    assert sounds.likeness(heard[: 2 * out], meant[: 2 * out]) > 0.95


def test_an_mp3_that_is_cut_off_says_of_how_much() -> None:
    sound, made = taken(mp3(6)[: len(mp3(6)) // 2])
    assert sound.fault and "breaks off after 3.0 seconds of 6.0" in sound.fault
    out, (heard,) = sounds.decoded(made, "mp3")
    assert abs(len(heard) / out - 3) < 0.1


def test_a_conversion_ends_where_its_limits_are(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = sounds.coded("libopus", "ogg", 48000, [sounds.speech(48000, 4)])
    monkeypatch.setattr(decoding, "SECONDS", 2)
    sound, made = taken(endless)
    assert sound.fault and "longer than" in sound.fault and abs(sound.milliseconds - 2000) < 100
    assert abs(len(sounds.decoded(made, "mp3")[1][0]) / 48000 - 2) < 0.2
    monkeypatch.setattr(decoding, "SECONDS", 14400)
    monkeypatch.setattr(decoding, "_START_SECONDS", -0.5)
    monkeypatch.setattr(decoding, "_SHARE", 0.0)
    with pytest.raises(NoAudio, match="takes too long"):
        convert(io.BytesIO(endless), io.BytesIO(), Limits(1 << 28, lambda _: None))
    monkeypatch.undo()
    sound = convert(io.BytesIO(endless), target := io.BytesIO(), Limits(10_000, lambda _: None))
    assert sound.fault and "SPOKE_MAX_MEDIA" in sound.fault and 0 < len(target.getvalue()) < 20_000


def test_a_look_at_a_file_reads_a_part_of_it(tmp_path: Path) -> None:
    class Counting(io.BytesIO):
        came = 0

        def read(self, count: int | None = -1) -> bytes:
            data = super().read(count)
            self.came += len(data)
            return data

    page = b"OggS" + bytes(22) + b"\xff" + b"\xff" * 255
    pages = b"".join(page + bytes(255 * 255) for _ in range(1000))  # one packet that comes to no end
    file = Counting(pages)
    with pytest.raises(NoAudio):
        probe(file)
    assert file.came < 40 << 20


def test_a_chunk_is_never_read_by_its_own_word() -> None:
    fmt = b"fmt " + struct.pack("<I", 0x7FFFFFFF) + bytes(16)
    with pytest.raises(NoAudio, match="cut off"):
        riff.read_wave(io.BytesIO(b"RIFF\0\0\0\0WAVE" + fmt), 36)


@pytest.mark.parametrize(
    ("given", "stem"),
    [
        ("C:\\new\\msg1.wav", "msg1"), ("Call with J.Smith", "Call with J.Smith"), ("St.Ives", "St.Ives"),
        ("msg0001.WAV", "msg0001"), ("msg.Wav", "msg"), ("a.wav49", "a"), ("a.tar.gz", "a.tar"),
        ("a.3gp", "a"),
        ("a.sln16", "a"), ("v1.25", "v1.25"), ("a.ulaw", "a"), ("a.b.mp3", "a.b"), ("at 5.30pm", "at 5.30pm"),
    ],
)  # fmt: skip
def test_a_name_loses_its_extension_if_it_has_one(given: str, stem: str) -> None:
    assert clean(given, "x") == f"{stem}.mp3"


@pytest.mark.parametrize("key", ['"error"', '"\\u0065rror"', '"erro\\u0072"', '"\\u0065\\u0072\\u0072or"'])
def test_an_error_stands_there_once_however_it_was_spelt(key: str) -> None:
    own = f',{key}:{{"error":[1]}}'
    body = f'{{"id":"a","filename":"x","attachments":null,"n":1.50{own},"z":"}}\\",\\"error\\":1"}}'
    told = with_error(body, "Bröken.")
    assert told == body.replace(own, "")[:-1] + ',"error":"Bröken."}'
    assert with_error(told, "Else.") == told.replace("Bröken.", "Else.")
    assert '"attachments":"http://a","n"' in with_link(told, "http://a")
