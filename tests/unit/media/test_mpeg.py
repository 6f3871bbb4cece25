"""The first frame of an MP3 is found behind whatever stands in front of it."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.media.mpeg import first_frame

# Layer III without padding: MPEG 1, 128 kbit/s, 44,100 Hz; MPEG 2, 32 kbit/s, 22,050 Hz.
FRAME = b"\xff\xfb\x90\x00".ljust(417, b"\x55")
SMALL = b"\xff\xf3\x40\x00".ljust(104, b"\x55")


def found(file: bytes) -> int | None:
    return first_frame(io.BytesIO(file), len(file))


def id3(content: bytes, *, footer: bool = False) -> bytes:
    size = len(content)
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\0" + (b"\x10" if footer else b"\0") + sizes + content + bytes(10 * footer)


@pytest.mark.parametrize(
    "front",
    [
        b"", bytes(100_000), b"\x55" * 200, id3(b"\xff\xfb" * 100), id3(bytes(20), footer=True),
        id3(bytes(5)) + id3(bytes(300_000)), FRAME[200:], b"\xff\xfb\x90\x00" + b"\x55" * 50, b"\xff" * 9,
    ],
    ids=["nothing", "zeros", "junk", "tag", "tag with footer", "two tags", "half a frame", "false sync",
         "ones"],
)  # fmt: skip
def test_what_stands_in_front_is_passed_over(front: bytes) -> None:
    assert found(front + FRAME * 4) == len(front)
    assert found(front + SMALL * 4) == len(front)


def test_frames_have_to_be_of_one_kind() -> None:
    assert found(FRAME + SMALL * 4) == len(FRAME)


def test_a_short_file_may_have_one_frame() -> None:
    assert found(FRAME) == 0
    assert found(FRAME + b"\x55" * 500) is None


@pytest.mark.parametrize(
    "head",
    [b"\xff\xeb\x90\x00", b"\xff\xf9\x90\x00", b"\xff\xfb\xf0\x00", b"\xff\xfb\x00\x00", b"\xff\xfb\x9c\x00"],
    ids=["version", "layer", "bit rate 15", "free bit rate", "sample rate"],
)
def test_reserved_values_are_no_frame(head: bytes) -> None:
    assert found(head.ljust(417, b"\x55") * 4) is None


@given(st.binary(max_size=3000).map(lambda noise: noise.replace(b"\xff", b"\xfe")))
def test_where_nothing_syncs_there_is_no_frame(noise: bytes) -> None:
    assert found(noise) is None


@given(st.binary(max_size=600))
def test_any_bytes_have_a_frame_inside_or_none(noise: bytes) -> None:
    at = found(noise)
    assert at is None or noise[at] == 0xFF


def test_too_much_in_front_is_not_searched() -> None:
    assert found(b"\x55" * 70_000 + FRAME * 4) is None
