"""Recordings made for the tests, and what a decoder hears in an MP3. Sound: a list of floats, -1 to 1."""

import io
import itertools
import math
import random
import struct
import sys
import wave
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av

SPEECH: Final = 8000


def speech(rate: int, seconds: float, seed: int = 0) -> list[float]:
    """Something like a voice: a few tones below 3 kHz that glide, in syllables."""
    chance = random.Random(seed)
    tones = [(chance.uniform(150, 900), chance.uniform(0.1, 0.4), chance.uniform(20, 60)) for _ in range(4)]
    made = []
    for n in range(round(rate * seconds)):
        at = n / rate
        loud = 0.15 + 0.55 * abs(math.sin(math.pi * at * (1.7 + seed % 3)))
        made.append(
            loud * sum(part * math.sin(2 * math.pi * (tone + glide * at) * at) for tone, part, glide in tones)
        )
    return made


def _pcm(sides: list[list[float]], width: int) -> bytes:
    top = (1 << (8 * width - 1)) - 1
    made = bytearray()
    for samples in zip(*sides, strict=True):
        for sample in samples:
            value = round(max(-1.0, min(1.0, sample)) * top)
            made += bytes([value + 128]) if width == 1 else value.to_bytes(width, sys.byteorder, signed=True)
    return bytes(made)


def wav(rate: int, sides: list[list[float]], width: int = 2) -> bytes:
    """A WAV of PCM with so many bytes a sample."""
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setnchannels(len(sides))
        made.setsampwidth(width)
        made.setframerate(rate)
        made.writeframes(_pcm(sides, width))
    return file.getvalue()


def wav_of(
    tag: int, channels: int, rate: int, bits: int, data: bytes, *, promised: int | None = None
) -> bytes:
    """A WAV whose head says this, whatever it is. ``promised``: the length that it says."""
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block % (1 << 32), block % (1 << 16), bits)
    length = len(data) if promised is None else promised
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def long_wav(seconds: int, rate: int = 8000, width: int = 2) -> bytes:
    """A long WAV that is made quickly: a second again and again."""
    second = wav(rate, [speech(rate, 1)], width)[44:]
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setparams((1, width, rate, 0, "NONE", ""))
        made.writeframes(second * seconds)
    return file.getvalue()


def long_mp3(size: int) -> Iterator[bytes]:
    """A long MP3 in pieces, nearly ``size`` bytes in all, that is made quickly: 30 frames again and again."""
    second = coded("libmp3lame", "mp3", 48000, [speech(48000, 1)] * 2, 320_000)
    # Behind the frame that counts the others. At this bit rate each has 960 bytes.
    begin = second.index(b"\xff\xfb") + 960
    return itertools.repeat(second[begin : begin + 960 * 30], size // (960 * 30))


def g711(codec: str, sides: list[list[float]]) -> bytes:
    """``pcm_mulaw`` or ``pcm_alaw`` in a WAV, 8 kHz."""
    return coded(codec, "wav", 8000, sides)


def coded(codec: str, kind: str, rate: int, sides: list[list[float]], bit_rate: int | None = None) -> bytes:
    """Sound in another coding, made by PyAV."""
    file = io.BytesIO()
    layout = "stereo" if len(sides) == 2 else "mono"
    with av.open(file, "w", format=kind) as made:
        stream: Any = made.add_stream(codec, rate=rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format.name, layout=layout, rate=rate, frame_size=context.frame_size or 1024
        )
        pcm = array(
            "h", (round(max(-1, min(1, s)) * 32767) for samples in zip(*sides, strict=True) for s in samples)
        )
        step = 4000 * len(sides)
        for begin in range(0, len(pcm), step):
            part = pcm[begin : begin + step]
            frame = av.AudioFrame(format="s16", layout=layout, samples=len(part) // len(sides))
            frame.rate = rate
            frame.planes[0].update(part.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
            frame.pts = begin // len(sides)
            frame.time_base = Fraction(1, rate)
            for piece in resampler.resample(frame):
                made.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            made.mux(stream.encode(piece))
        made.mux(stream.encode(None))
    return file.getvalue()


def gsm(samples: list[float]) -> bytes:
    """GSM 6.10 in a WAV (Microsoft's framing), 8 kHz mono: speech from memory of the codec's own frames.

    FFmpeg only decodes it, so these are silent frames and frames with one pulse train, packed by hand.
    """
    blocks = [_gsm_block(n) for n in range(max(1, len(samples) // 320))]
    data = b"".join(blocks)
    fmt = struct.pack("<HHIIHHHH", 0x31, 1, 8000, 1625, 65, 0, 2, 320)
    fact = struct.pack("<I", 320 * len(blocks))
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"fact" + struct.pack("<I", 4) + fact
    chunks += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _gsm_block(number: int) -> bytes:
    """65 bytes, two frames of 260 bits, least significant bit first."""
    chance = random.Random(number)
    bits: list[int] = []

    def put(value: int, width: int) -> None:
        bits.extend(value >> place & 1 for place in range(width))

    for _ in range(2):
        for value, width in zip((20, 30, 18, 12, 8, 7, 4, 3), (6, 6, 5, 5, 4, 4, 3, 3), strict=True):
            put(value, width)
        for _ in range(4):
            put(60, 7)  # long-term lag
            put(1, 2)
            put(1, 2)
            put(20 + 15 * (number % 4), 6)
            for _ in range(13):
                put(chance.randrange(8), 3)
    return bytes(sum(bits[8 * n + place] << place for place in range(8)) for n in range(65))


def decoded(data: bytes, kind: str, rate: int | None = None) -> tuple[int, list[list[float]]]:
    """What FFmpeg plays of a file: the rate, and a list of samples for each side."""
    with av.open(io.BytesIO(data), mode="r", format=kind) as container:
        stream = container.streams.audio[0]
        rate = rate or stream.codec_context.sample_rate
        resampler = av.AudioResampler(format="fltp", layout=stream.codec_context.layout.name, rate=rate)
        sides: list[array[float]] = [array("f") for _ in range(stream.codec_context.channels)]
        for frame in [*container.decode(stream), None]:
            for piece in resampler.resample(frame):
                for side, plane in zip(sides, piece.planes, strict=True):
                    side.frombytes(bytes(plane)[: 4 * piece.samples])
    return rate, [list(side) for side in sides]


def likeness(one: list[float], other: list[float]) -> float:
    """Correlation, 1 for the same sound at the same place."""
    count = min(len(one), len(other))
    a, b = one[:count], other[:count]
    both = sum(x * y for x, y in zip(a, b, strict=True))
    return both / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b) or 1)
