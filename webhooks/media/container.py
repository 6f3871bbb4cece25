"""Opening of recordings: PyAV (FFmpeg) demuxes them.

The demuxer is chosen by the file's first bytes, and gets an open file. FFmpeg's own choice would include
playlists, which name further files and addresses to read.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, NamedTuple

import av

from webhooks.errors import NoAudio
from webhooks.media.bounds import WANTED, check_bounds
from webhooks.media.mpeg import first_frame
from webhooks.media.riff import read_wave
from webhooks.media.window import Window

# What PyAV raises where FFmpeg refuses a file, or where PyAV itself cannot make sense of one.
FAULTS: Final = (av.error.FFmpegError, ValueError, ArithmeticError, MemoryError)
_DECODERS: Final = {
    "wav": ("pcm_", "gsm", "libgsm", "adpcm_", "mp3"),
    "mp3": ("mp3", "mp2", "mp1"),
    "ogg": ("vorbis", "opus", "libvorbis", "libopus", "flac", "speex", "libspeex"),
}
_LENGTH_HEAD: Final = 4096  # bytes in which an MP3's first frame tells how many there are
# Nothing here reads a file's texts, but PyAV decodes them; since version 19 it takes no option for that.
_TEXTS: Final = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}


@dataclass(frozen=True, slots=True)
class Opened:
    """An open recording. ``kind`` is wav, mp3 or ogg; ``stream`` is its first stream of sound.

    ``seconds`` is the length that the file states, 0 if it states none; ``certain`` unless that is a guess.
    """

    kind: str
    container: Any
    stream: Any
    seconds: float
    certain: bool


class _Source(NamedTuple):
    """What of a file goes to which demuxer; ``seconds`` and ``certain`` as in ``Opened``."""

    kind: str
    window: Window
    seconds: float
    certain: bool


@contextlib.contextmanager
def opened(file: IO[bytes], budget_bytes: int | None = None) -> Iterator[Opened]:
    """Open a recording. ``budget_bytes`` of it may be read, None for all.

    Raises:
        NoAudio: the file is no recording of a kind that is taken.
    """
    source = _source(file, budget_bytes)
    kind, seconds = source.kind, source.seconds
    options: Any = _TEXTS
    try:
        container: Any = av.open(source.window, format=kind, **options)
    except FAULTS as error:
        raise NoAudio(f"The file cannot be read as {kind}: {reason(error)}. {WANTED}") from None
    with container:
        if not container.streams.audio:
            raise NoAudio(f"There is no sound in the file. {WANTED}")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None:
            raise NoAudio(f"The sound is coded in a way that is not taken. {WANTED}")
        if not codec.name.startswith(_DECODERS[kind]):
            raise NoAudio(f"The sound is coded as {codec.name}, which is not taken. {WANTED}")
        check_bounds(codec.channels, codec.sample_rate)
        codec.thread_count = 1
        if kind != "wav":
            seconds = max(0.0, (container.duration or 0) / 1_000_000)
        yield Opened(kind, container, stream, seconds, source.certain)


def reason(error: BaseException) -> str:
    """Say what FFmpeg has against a file, for the middle of a sentence."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def _source(file: IO[bytes], budget_bytes: int | None) -> _Source:
    """Choose a demuxer by a file's first bytes."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        wave = read_wave(file, size)
        window = Window(file, wave.start, wave.end, wave.head, budget_bytes)
        return _Source("wav", window, wave.seconds, True)
    if head[:4] == b"OggS":
        return _Source("ogg", Window(file, 0, size, budget_bytes=budget_bytes), 0, True)
    at = first_frame(file, size)
    if at is not None or head[:3] == b"ID3":
        file.seek(at or 0)
        first = file.read(_LENGTH_HEAD)
        counted = b"Xing" in first or b"Info" in first or b"VBRI" in first
        return _Source("mp3", Window(file, at or 0, size, budget_bytes=budget_bytes), 0, counted)
    if not head:
        raise NoAudio(f"The file is empty. {WANTED}")
    raise NoAudio(f"The file is no recording, whatever its name says. {WANTED}")
