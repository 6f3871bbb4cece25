"""Parser of WAV headers. FFmpeg gets a header of our own in front of the bytes that are sound.

FFmpeg itself plays a file that is cut off without an error, and decodes half a block as well as it can. The
chunks are specified in Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and in EBU
Tech 3306 (RF64).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from webhooks.errors import NoAudio
from webhooks.media.bounds import WANTED, check_bounds, check_length

_MOST_CHUNKS: Final = 1000  # in front of the sound; a file may be made of chunks of no bytes
_MOST_FORMAT: Final = 4096  # bytes
# What a writer to a pipe puts for a length that it does not know: FFmpeg all bits, SoX and eSpeak 0x7FFFF000,
# arecord 0x7FFFFF00, Asterisk 0 until the file is closed.
_UNKNOWN: Final = 0x7FFF0000
_ALL_BITS: Final = 0xFFFFFFFF
_UNHEARD: Final = 20  # a twentieth of a second may be missing
_PCM, _FLOAT, _ALAW, _MULAW, _GSM, _EXTENSIBLE = 1, 3, 6, 7, 0x31, 0xFFFE
_GSM_BLOCK, _GSM_SAMPLES = 65, 320
# KSDATAFORMAT_SUBTYPE_…: a format tag, then these
_SUBTYPE: Final = bytes.fromhex("000000001000800000aa00389b71")


@dataclass(frozen=True, slots=True)
class Wave:
    """A WAV's sound: ``head`` and the file's bytes from ``start`` to ``end`` make a WAV of whole blocks.

    ``seconds`` is how long PCM, G.711 and GSM will play; for others what the header says, 0 if nothing.
    """

    head: bytes
    start: int
    end: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Format:
    chunk: bytes
    block: int  # bytes
    second: float  # bytes


def read_wave(file: IO[bytes], size: int) -> Wave:
    """Find the sound in a WAV of ``size`` bytes.

    Raises:
        NoAudio: the file is cut off, or beyond the bounds.
    """
    form: _Format | None = None
    long = None
    for name, at, length in _chunks(file, 12, size):
        if name == b"ds64":  # RF64 has its lengths here, in 64 bits
            file.seek(at)
            long = struct.unpack("<Q", file.read(16)[8:].ljust(8, b"\0"))[0]
        elif name == b"fmt " and at + length <= size:
            file.seek(at)
            form = _format(file.read(min(length, _MOST_FORMAT)))
        elif name == b"data":
            if form is None:
                raise NoAudio(f"The WAV file does not say how its sound is coded. {WANTED}")
            promised = long if long is not None and length == _ALL_BITS else length
            there = _length(file, at, size - at, promised, form)
            there -= there % form.block
            seconds = there / form.second if form.second else 0.0
            check_length(seconds)
            return Wave(_head(form.chunk, there), at, at + there, seconds)
    raise NoAudio("The WAV file is cut off before its sound begins. Send it when it is finished.")


def _chunks(file: IO[bytes], at: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's name, offset and length, up to the end of the file."""
    for _ in range(_MOST_CHUNKS):
        if at + 8 > size:
            return
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        yield name, at + 8, length
        at += 8 + length + length % 2
    raise NoAudio(f"The WAV file has more than {_MOST_CHUNKS:,} chunks. {WANTED}")


def _format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise NoAudio(f"The WAV file does not say how its sound is coded. {WANTED}")
    tag, channels, rate, second, block, bits = struct.unpack("<HHIIHH", chunk[:16])
    check_bounds(channels, rate)
    if tag == _EXTENSIBLE and chunk[26:40] == _SUBTYPE:
        (tag,) = struct.unpack("<H", chunk[24:26])
    if tag in (_PCM, _FLOAT, _ALAW, _MULAW):
        block = channels * max(1, (bits + 7) // 8)
        second = block * rate
        chunk = struct.pack("<HHIIHH", tag, channels, rate, second, block, bits)
    elif tag == _GSM:
        block = _GSM_BLOCK
        second = rate * _GSM_BLOCK / _GSM_SAMPLES
        chunk = struct.pack("<HHIIHHHH", tag, 1, rate, round(second), block, 0, 2, _GSM_SAMPLES)
    return _Format(chunk, max(1, block), second)


def _length(file: IO[bytes], at: int, there: int, promised: int, form: _Format) -> int:
    """Return how many of the bytes that are there are sound."""
    if promised > there and promised >= _UNKNOWN:
        return there
    if promised < there:
        # A length that was written before the rest came, such as none at all; or chunks of something else.
        return promised if _is_chunks(file, at + promised, at + there) else there
    if promised - there >= max(form.block, form.second / _UNHEARD):
        raise NoAudio(
            f"The WAV file is cut off: its header promises {promised:,} bytes of sound, {there:,} are there. "
            "Send it when it is finished."
        )
    return there


def _is_chunks(file: IO[bytes], at: int, size: int) -> bool:
    """Whether chunks and nothing else stand there, with or without a padding byte in front."""
    return size - at < 8 or any(_reaches(file, place, size) for place in (at, at + 1))


def _reaches(file: IO[bytes], at: int, size: int) -> bool:
    end = at
    try:
        for name, place, length in _chunks(file, at, size):
            if not (name.isascii() and name.decode().isprintable()):
                return False
            end = place + length
    except NoAudio:
        return False
    return size - 2 < end <= size


def _head(chunk: bytes, length: int) -> bytes:
    chunks = b"fmt " + struct.pack("<I", len(chunk)) + chunk + b"\0" * (len(chunk) % 2)
    chunks += b"data" + struct.pack("<I", min(length, _ALL_BITS))
    return b"RIFF" + struct.pack("<I", min(4 + len(chunks) + length, _ALL_BITS)) + b"WAVE" + chunks
