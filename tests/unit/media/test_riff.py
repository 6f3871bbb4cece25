"""The header of a WAV: where its sound is, how long it plays, and what is missing of it."""

import io
import struct
import wave
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import NoAudio
from webhooks.media.riff import Wave, read_wave

PCM, GSM, EXTENSIBLE = 1, 0x31, 0xFFFE


def fmt(tag: int = PCM, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits))


def chunk(name: bytes, data: bytes, length: int | None = None) -> bytes:
    length = len(data) if length is None else length
    return name + struct.pack("<I", length) + data + b"\0" * (len(data) % 2)


def file_of(*chunks: bytes, kind: bytes = b"RIFF") -> bytes:
    content = b"".join(chunks)
    return kind + struct.pack("<I", len(content) + 4) + b"WAVE" + content


def read(file: bytes) -> Wave:
    return read_wave(io.BytesIO(file), len(file))


def sound(file: bytes) -> bytes:
    found = read(file)
    return file[found.start : found.end]


@given(
    st.integers(1, 8), st.sampled_from([4000, 8000, 44_100, 192_000]), st.integers(1, 4), st.integers(1, 300)
)
def test_the_sound_of_a_whole_wav_is_found(channels: int, rate: int, width: int, frames: int) -> None:
    file = io.BytesIO()
    data = bytes(n % 251 for n in range(channels * width * frames))
    with wave.open(file, "wb") as made:
        made.setparams((channels, width, rate, 0, "NONE", ""))
        made.writeframes(data)
    found = read(file.getvalue())
    assert file.getvalue()[found.start : found.end] == data
    assert found.seconds == pytest.approx(frames / rate)
    with wave.open(io.BytesIO(found.head + data), "rb") as again:
        assert again.getparams()[:4] == (channels, width, rate, frames)
        assert again.readframes(frames) == data


def test_chunks_around_the_sound_are_passed_over() -> None:
    data = bytes(range(1, 201))
    file = file_of(
        chunk(b"LIST", b"odd"), fmt(), chunk(b"fact", b"1234"), chunk(b"data", data), chunk(b"id3 ", b"xy")
    )
    assert sound(file) == data


def test_half_a_block_at_the_end_is_left_out() -> None:
    assert sound(file_of(fmt(channels=2), chunk(b"data", bytes(10)))) == bytes(8)


@pytest.mark.parametrize("promised", [0, 0x7FFF0000, 0x7FFFF000, 0xFFFFFFFF])
def test_a_length_that_its_writer_did_not_know_means_all_that_is_there(promised: int) -> None:
    data = b"\x11" * 1000
    assert sound(file_of(fmt(), chunk(b"data", data, promised))) == data


def test_what_is_cut_off_is_refused_but_for_a_moment() -> None:
    data = b"\x11" * 16_000
    assert sound(file_of(fmt(), chunk(b"data", data, 16_000 + 798))) == data
    with pytest.raises(NoAudio, match="promises 16,800 bytes"):
        read(file_of(fmt(), chunk(b"data", data, 16_000 + 800)))


def test_rf64_has_its_length_in_64_bits() -> None:
    data = b"\x11" * 500
    ds64 = chunk(b"ds64", struct.pack("<QQQ", 0, len(data), 0))
    file = file_of(ds64, fmt(), chunk(b"data", data, 0xFFFFFFFF), chunk(b"LIST", b"more"), kind=b"RF64")
    assert sound(file) == data


def test_an_extensible_format_is_the_one_that_it_names() -> None:
    head = struct.pack("<HHIIHH", EXTENSIBLE, 1, 8000, 16_000, 2, 16) + struct.pack("<HHI", 22, 16, 4)
    guid = struct.pack("<H", PCM) + bytes.fromhex("000000001000800000aa00389b71")
    found = read(file_of(chunk(b"fmt ", head + guid), chunk(b"data", bytes(1600))))
    assert found.seconds == 0.1
    assert struct.unpack("<H", found.head[20:22]) == (PCM,)


def test_gsm_plays_as_long_as_its_blocks() -> None:
    head = struct.pack("<HHIIHHHH", GSM, 1, 8000, 1625, 65, 0, 2, 320)
    found = read(file_of(chunk(b"fmt ", head), chunk(b"data", bytes(65 * 25 + 7))))
    assert found.end - found.start == 65 * 25 and found.seconds == 1.0


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        ([fmt()], "cut off before its sound begins"),
        ([chunk(b"data", bytes(10)), fmt()], "does not say how its sound is coded"),
        ([chunk(b"fmt ", bytes(10)), chunk(b"data", bytes(10))], "does not say how its sound is coded"),
        ([fmt(channels=9), chunk(b"data", bytes(18))], "9 channels"),
        ([fmt(channels=0), chunk(b"data", bytes(18))], "0 channels"),
        ([fmt(rate=3999), chunk(b"data", bytes(18))], "3,999 samples"),
        ([chunk(b"junk", b"")] * 1000 + [fmt()], "more than 1,000 chunks"),
    ],
)
def test_a_wav_that_cannot_be_taken_says_why(chunks: list[bytes], says: str) -> None:
    with pytest.raises(NoAudio, match=says):
        read(file_of(*chunks))


def test_more_than_four_hours_are_refused() -> None:
    class Large(io.BytesIO):
        """A file that says it is larger than it is."""

    size = 8000 * 2 * (4 * 3600 + 1)
    start = file_of(fmt(), chunk(b"data", b"", size))
    with pytest.raises(NoAudio, match=r"4\.0 hours long"):
        read_wave(Large(start), len(start) + size)


@given(st.binary(max_size=200), st.data())
def test_any_bytes_are_sound_inside_the_file_or_refused(noise: bytes, data: Any) -> None:
    whole = file_of(fmt(), chunk(b"data", bytes(100)), chunk(b"LIST", b"abcd"))
    at = data.draw(st.integers(8, len(whole)))
    file = whole[:at] + noise
    try:
        found = read(file)
    except NoAudio:
        return
    assert 0 < found.start <= found.end <= len(file) and found.seconds >= 0
