"""Probing of recordings, and their conversion to MP3; PyAV (FFmpeg) decodes and encodes."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import av

from webhooks.errors import NoAudio
from webhooks.media.bounds import WANTED, check_length
from webhooks.media.container import FAULTS, Opened, opened, reason
from webhooks.media.decoding import Decoding

TYPE: Final = "audio/mpeg"
_PROBED: Final = 32 << 20  # bytes of a file that are read for a look; a second of the largest has 12 MB
_RATES: Final = (22_050, 24_000, 32_000, 44_100, 48_000)  # MPEG-2 and 1: every player has them
# The parties share nothing: coding what both have in common would let one leak into the other. The effort is
# LAME's own standard; FFmpeg's, two steps above, takes twice the time.
_LAME: Final = {"joint_stereo": "0", "compression_level": "5"}


@dataclass(frozen=True, slots=True)
class Sound:
    """A converted recording. ``as_it_is``: it was an MP3 already, and nothing was written.

    ``fault`` is a sentence that says what is missing of it, None if nothing is.
    """

    milliseconds: int
    channels: int
    as_it_is: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a conversion: ``size_bytes`` may be written.

    ``check`` is called before each packet with the seconds of sound so far; what it raises ends the
    conversion.
    """

    size_bytes: int
    check: Callable[[float], object]


def probe(file: IO[bytes]) -> int | None:
    """Check by its header and its first second of sound whether a file is a recording.

    Returns the length in milliseconds that the file states, None if it states none.

    Raises:
        NoAudio: it is no recording; the sentence says what is wrong with it.
    """
    with opened(file, _PROBED) as source:
        if source.certain:
            check_length(source.seconds)
        decoding = Decoding(source)
        for _ in decoding:
            if decoding.seconds >= 1:
                break
        if not decoding.seconds:
            raise NoAudio(f"{decoding.fault} {WANTED}")
        if decoding.fault and decoding.seconds < 1:
            raise NoAudio(f"The file's first second cannot be decoded. {decoding.fault} {WANTED}")
        return round(source.seconds * 1000) or None


def convert(source: IO[bytes], target: IO[bytes], limits: Limits) -> Sound:
    """Write a recording as MP3. An MP3 without a fault is decoded only, and nothing is written.

    The MP3 is mono where there is one side, or both are the same, and stereo where the sides differ: they are
    the two parties then.

    Raises:
        NoAudio: nothing came of it; the sentence says why. What ``limits.check`` raises.
    """
    with opened(source) as recording:
        codec = recording.stream.codec_context
        if recording.kind == "mp3" and codec.name.startswith("mp3"):
            decoding = Decoding(recording, limits.check)
            for _ in decoding:
                pass
            if not decoding.fault:
                return Sound(round(decoding.seconds * 1000), codec.channels, as_it_is=True)
    with opened(source) as recording:
        stereo = recording.stream.codec_context.channels > 1 and _sides_differ(recording, limits)
    with opened(source) as recording:
        return _encode(recording, target, limits, stereo)


def _encode(source: Opened, target: IO[bytes], limits: Limits, stereo: bool) -> Sound:
    rate = _output_rate(source.stream.codec_context.sample_rate)
    layout = "stereo" if stereo else "mono"
    decoding = Decoding(source, limits.check)
    samples, fault = 0, None
    with _its_own_fault(), av.open(target, "w", format="mp3") as made:
        out: Any = made.add_stream("libmp3lame", rate=rate, layout=layout, format="s16p", options=_LAME)
        out.bit_rate = _bit_rate(rate) * (1 + stereo)
        for piece in _resampled(decoding, layout, rate):
            samples += piece.samples
            made.mux(out.encode(piece))
            if target.tell() > limits.size_bytes:
                fault = (
                    f"The recording is longer than {limits.size_bytes:,} bytes can hold (SPOKE_MAX_MEDIA)."
                )
                break
        made.mux(out.encode(None))
    if not samples:
        raise NoAudio(decoding.fault or "There is no sound in the recording.")
    return Sound(round(samples * 1000 / rate), 1 + stereo, fault=decoding.fault or fault)


def _sides_differ(source: Opened, limits: Limits) -> bool:
    if source.stream.codec_context.channels != 2:
        return True
    with _its_own_fault():
        return any(
            bytes(piece.planes[0]) != bytes(piece.planes[1])
            for piece in _resampled(Decoding(source, limits.check), "stereo", None)
        )


def _resampled(decoding: Decoding, layout: str, rate: int | None) -> Iterator[Any]:
    """Yield all sound in one form, even where the recording changes its own. ``rate`` None keeps the rate."""
    form, resampler = None, None
    for frame in decoding:
        present = (frame.format.name, frame.layout.name, frame.sample_rate)
        if present != form:
            if resampler is not None:
                yield from resampler.resample(None)
            form = present
            resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate or frame.sample_rate)
        assert resampler is not None
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


@contextlib.contextmanager
def _its_own_fault() -> Iterator[None]:
    """Raise NoAudio for what the resampler or the encoder refuses: it came out of this file."""
    try:
        yield
    except FAULTS as error:
        raise NoAudio(f"The recording cannot be made an MP3: {reason(error)}.") from None


def _output_rate(rate: int) -> int:
    """Choose a multiple where there is one, which loses nothing: of 8,000 it is 24,000, of 16,000 32,000."""
    multiples = [candidate for candidate in _RATES if candidate % rate == 0]
    above = [candidate for candidate in _RATES if candidate >= rate]
    return (multiples or above or [_RATES[-1]])[0]


def _bit_rate(rate: int) -> int:
    """Choose the bits a second for one voice; in a multiplied rate all of them go into speech."""
    return 40_000 if rate <= 24_000 else 48_000 if rate <= 32_000 else 64_000
