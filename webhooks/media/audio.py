"""What is a recording, and how it becomes an MP3. PyAV (FFmpeg) decodes and encodes.

The demuxer is chosen here, by the file's first bytes, and gets an open file: FFmpeg's own guessing would also
find playlists, which name further files and addresses to read.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import av

from webhooks.errors import NoAudio

TYPE: Final = "audio/mpeg"
_WANTED: Final = "Send a WAV (PCM, G.711 or GSM), an MP3 or an Ogg file."
_RATES: Final = (22_050, 24_000, 32_000, 44_100, 48_000)  # MPEG-2 and 1: every player has them
_GAP_SECONDS: Final = 0.5
_HEAD: Final = 1 << 16
# The parties share nothing: coding what both have in common would let one leak into the other. The effort is
# LAME's own standard; FFmpeg's, two steps above, takes twice the time.
_LAME: Final = {"joint_stereo": "0", "compression_level": "5"}
_DECODERS: Final = {
    "wav": ("pcm_", "gsm", "libgsm", "adpcm_", "mp3"),
    "mp3": ("mp3", "mp2", "mp1"),
    "ogg": ("vorbis", "opus", "libvorbis", "libopus", "flac", "speex", "libspeex"),
}


@dataclass(frozen=True, slots=True)
class Sound:
    """What a recording turned out to be. ``as_it_is``: it was an MP3 already, nothing was written."""

    milliseconds: int
    channels: int
    as_it_is: bool = False


class Stopped(Exception):
    """The process is to end: the recording is converted at the next start."""


def probe(file: IO[bytes]) -> None:
    """Look whether a file is a recording: its head, and the first second of its sound.

    Raises:
        NoAudio: it is none; the sentence says what is wrong with it.
    """
    with _opened(file) as (container, stream):
        seconds = 0.0
        try:
            for frame in container.decode(stream):
                seconds += frame.samples / frame.sample_rate
                if seconds >= 1:
                    return
        except (av.error.FFmpegError, ValueError) as error:
            raise NoAudio(f"The file's first second cannot be decoded: {_reason(error)}. {_WANTED}") from None
        if not seconds:
            raise NoAudio(f"There is no sound in the file. {_WANTED}")


def convert(source: IO[bytes], target: IO[bytes], most: int, stopping: Callable[[], bool]) -> Sound:
    """Write a recording as MP3, or only decode it where it is one.

    Mono where there is one side, or both are the same; stereo where the two sides are the two parties.
    ``most`` bytes may be written.

    Raises:
        NoAudio: it breaks off or is too long; the sentence says where. Stopped: ``stopping`` said so.
    """
    with _opened(source) as (container, stream):
        if stream.codec_context.name.startswith("mp3") and container.format.name == "mp3":
            return _look_over(source, container, stream, stopping)
        stereo = stream.codec_context.channels > 1 and _sides_differ(container, stream, stopping)
    source.seek(0)
    with _opened(source) as (container, stream):
        return _encode(container, stream, target, most, stereo, stopping)


def _look_over(source: IO[bytes], container: Any, stream: Any, stopping: Callable[[], bool]) -> Sound:
    """An MP3, decoded to its end."""
    samples = sum(frame.samples for frame in _frames(container, stream, stopping))
    rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    place = source.tell()
    source.seek(0)
    head = source.read(_HEAD)
    source.seek(place)
    # Only where its first frame counts all of them is the length more than a guess.
    if b"Xing" in head or b"Info" in head:
        _check_length(container, samples / rate)
    return Sound(_length(samples, rate), channels, as_it_is=True)


def _check_length(container: Any, seconds: float) -> None:
    promised = (container.duration or 0) / 1_000_000
    if promised - seconds > max(_GAP_SECONDS, promised / 50):
        raise NoAudio(f"The recording breaks off after {seconds:.1f} seconds of {promised:.1f}.")


def _encode(
    container: Any, stream: Any, target: IO[bytes], most: int, stereo: bool, stopping: Callable[[], bool]
) -> Sound:
    rate = _output_rate(stream.codec_context.sample_rate)
    layout = "stereo" if stereo else "mono"
    resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate)
    samples = 0
    with av.open(target, "w", format="mp3") as made:
        out: Any = made.add_stream("libmp3lame", rate=rate, layout=layout, format="s16p", options=_LAME)
        out.bit_rate = _bit_rate(rate) * (1 + stereo)
        for frame in _frames(container, stream, stopping, flush=True):
            for piece in resampler.resample(frame):
                samples += piece.samples
                made.mux(out.encode(piece))
            if target.tell() > most:
                raise NoAudio(f"The recording is longer than {most:,} bytes can hold (SPOKE_MAX_MEDIA).")
        made.mux(out.encode(None))
    return Sound(_length(samples, rate), 1 + stereo)


def _sides_differ(container: Any, stream: Any, stopping: Callable[[], bool]) -> bool:
    if stream.codec_context.channels != 2:
        return True
    plain = av.AudioResampler(format="s16p", layout="stereo", rate=stream.codec_context.sample_rate)
    return any(
        bytes(piece.planes[0]) != bytes(piece.planes[1])
        for frame in _frames(container, stream, stopping)
        for piece in plain.resample(frame)
    )


def _frames(container: Any, stream: Any, stopping: Callable[[], bool], flush: bool = False) -> Iterator[Any]:
    """All frames, in a row and without their times. Last None, to flush with."""
    seconds = 0.0
    first: float | None = None
    try:
        for frame in container.decode(stream):
            if stopping():
                raise Stopped
            if container.format.name == "ogg" and frame.pts is not None:
                # Pages that are damaged are left out without a word: the times behind them tell of it.
                at = float(frame.pts * frame.time_base)
                first = at - seconds if first is None else first
                if at - first - seconds > _GAP_SECONDS:
                    raise NoAudio(f"The recording breaks off after {seconds:.1f} seconds: a part is missing.")
            seconds += frame.samples / frame.sample_rate
            frame.pts = None
            yield frame
        if container.format.name == "ogg":
            _check_length(container, seconds)
        if flush:
            yield None
    except (av.error.FFmpegError, ValueError) as error:
        raise NoAudio(f"The recording breaks off after {seconds:.1f} seconds: {_reason(error)}.") from None
    if not seconds:
        raise NoAudio("There is no sound in the recording.")


@contextlib.contextmanager
def _opened(file: IO[bytes]) -> Iterator[tuple[Any, Any]]:
    """The file as a container, and its one stream of sound."""
    kind = _kind(file)
    file.seek(0)
    try:
        container: Any = av.open(file, format=kind, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        raise NoAudio(f"The file cannot be read as {kind}: {_reason(error)}. {_WANTED}") from None
    with container:
        if not container.streams.audio:
            raise NoAudio(f"There is no sound in the file. {_WANTED}")
        stream = container.streams.audio[0]
        codec = stream.codec_context.name
        if not codec.startswith(_DECODERS[kind]):
            raise NoAudio(f"The sound is coded as {codec}, which is not taken. {_WANTED}")
        stream.codec_context.thread_count = 1
        yield container, stream


def _kind(file: IO[bytes]) -> str:
    """The demuxer for the file's first bytes."""
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
        _check_promise(file)
        return "wav"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:3] == b"ID3" or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)):
        return "mp3"
    if not head:
        raise NoAudio(f"The file is empty. {_WANTED}")
    raise NoAudio(f"The file is no recording, whatever its name says. {_WANTED}")


def _check_promise(file: IO[bytes]) -> None:
    """FFmpeg plays what is there of a WAV that is cut off, without a word; the header knows better."""
    there = file.seek(0, 2)
    at, promised = 12, -1
    while at + 8 <= there:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"ds64":  # RF64 has its lengths here, in 64 bits
            promised = struct.unpack("<Q", file.read(16)[8:].ljust(8, b"\0"))[0]
        elif name == b"data":
            size = promised if promised >= 0 and size == 0xFFFFFFFF else size
            if size > there - at - 8:
                raise NoAudio(
                    f"The WAV file is cut off: its header promises {size:,} bytes of sound, "
                    f"{there - at - 8:,} are there. Send it when it is finished."
                )
            return
        at += 8 + size + size % 2
    raise NoAudio("The WAV file is cut off before its sound begins. Send it when it is finished.")


def _output_rate(rate: int) -> int:
    """A multiple where there is one: 8,000 becomes 24,000, 16,000 becomes 32,000. Nothing is lost by it."""
    multiples = [candidate for candidate in _RATES if candidate % rate == 0]
    above = [candidate for candidate in _RATES if candidate >= rate]
    return (multiples or above or [_RATES[-1]])[0]


def _bit_rate(rate: int) -> int:
    """Bits a second for one voice; a multiplied rate spends them on the speech alone."""
    return 40_000 if rate <= 24_000 else 48_000 if rate <= 32_000 else 64_000


def _length(samples: int, rate: int) -> int:
    return round(samples * 1000 / rate)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]
