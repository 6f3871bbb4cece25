"""Search for the first frame of an MP3, behind tags, zeros, or half of another frame.

A frame's header has its length, which tells where the next frame stands (ISO 11172-3 and 13818-3; MPEG 2.5
halves the rates once more).
"""

import re
from typing import IO, Final, NamedTuple

_IN_FRONT: Final = 1 << 16  # bytes that may stand there; zeros do not count
_READ: Final = 1 << 20
_ROW: Final = 3  # frames that have to follow each other
_SYNC: Final = re.compile(rb"\xff(?=[\xe0-\xff])")  # of "\xff\xff\xfb" the second may be the frame's
_RATES: Final = (44_100, 48_000, 32_000)
_KBITS: Final = {  # by MPEG 1 or not, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class _Frame(NamedTuple):
    """What a frame's header says; ``length`` in bytes."""

    version: int
    layer: int
    rate_hz: int
    length: int

    @property
    def kind(self) -> tuple[int, int, int]:
        return self[:3]


def first_frame(file: IO[bytes], size: int) -> int | None:
    """Return the offset of the first frame, or None."""
    tags = _behind_tags(file, size)
    file.seek(tags)
    head = file.read(_READ)
    zeros = len(head) - len(head.lstrip(b"\0"))
    for sync in _SYNC.finditer(head, zeros, zeros + _IN_FRONT):
        if _in_a_row(head, sync.start(), size - tags):
            return tags + sync.start()
    return None


def _behind_tags(file: IO[bytes], size: int) -> int:
    """Return the offset behind all ID3v2 tags. They may be large, and FFmpeg has no use for them."""
    at = 0
    while True:
        file.seek(at)
        tag = file.read(10)
        if len(tag) < 10 or tag[:3] != b"ID3" or any(byte > 0x7F for byte in tag[6:]):
            return at
        length = tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]
        at += 10 + length + (10 if tag[5] & 0x10 else 0)
        if at >= size:
            return size


def _in_a_row(head: bytes, at: int, size: int) -> bool:
    """Whether frames of one kind follow each other here. In a short file those up to its end are enough."""
    kind = None
    for _ in range(_ROW):
        frame = _frame(head[at : at + 4])
        if frame is None or kind not in (None, frame.kind):
            return False
        kind = frame.kind
        at += frame.length
        if at >= size:
            return True
    return True


def _frame(head: bytes) -> _Frame | None:
    """Read a frame's header, None where it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate, pad = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or rate == 3 or not 0 < bits < 15:
        return None
    first = version == 3
    rate_hz = _RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    per_second = 1000 * _KBITS[first, layer][bits - 1]
    if layer == 1:
        return _Frame(version, layer, rate_hz, (12 * per_second // rate_hz + pad) * 4)
    samples = 576 if layer == 3 and not first else 1152
    return _Frame(version, layer, rate_hz, samples // 8 * per_second // rate_hz + pad)
