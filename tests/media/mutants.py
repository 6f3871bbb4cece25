"""Recordings that are nearly right: good files of every kind with bytes changed, left out or put in."""

import random
import struct
from collections.abc import Iterator

from media import sounds


def originals() -> list[bytes]:
    """Two or three seconds of every kind that is taken."""
    voice = sounds.speech(8000, 2.3)
    wide, sides = sounds.speech(48000, 2.3), [voice, voice[::-1]]
    return [
        sounds.wav(8000, [voice]), sounds.wav(8000, sides, 3), sounds.g711("pcm_mulaw", [voice]),
        sounds.gsm(voice), sounds.coded("adpcm_ima_wav", "wav", 8000, [voice]),
        sounds.coded("libopus", "ogg", 48000, [wide]), sounds.coded("flac", "ogg", 48000, [wide]),
        sounds.coded("libmp3lame", "mp3", 24000, [sounds.speech(24000, 2.3)], 48000),
    ]  # fmt: skip


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """So many files; the same for the same seed. Half of the changes are in a file's head."""
    chance = random.Random(seed)
    sources = originals()
    for _ in range(count):
        made = bytearray(chance.choice(sources))
        for _ in range(chance.choice((1, 1, 2, 5, 30))):
            _change(chance, made)
        yield bytes(made)


def _change(chance: random.Random, made: bytearray) -> None:
    at = chance.randrange(min(len(made), 80) if chance.random() < 0.5 else len(made))
    some = chance.randrange(1, 400)
    odd = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, chance.randrange(1 << 32))
    match chance.randrange(7):
        case 0:
            made[at] ^= 1 << chance.randrange(8)
        case 1:
            made[at : at + 4] = struct.pack("<I", chance.choice(odd))
        case 2:
            made[at : at + 2] = struct.pack("<H", chance.choice(odd) & 0xFFFF)
        case 3:
            del made[at : at + some]
        case 4:
            made[at:at] = chance.randbytes(some)
        case 5:
            made[at:at] = made[at : at + some]
        case 6:
            del made[max(at, 40) :]
    made += b"\0" * max(0, 20 - len(made))
