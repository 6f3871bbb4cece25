"""Bounds of recordings. A file beyond them is refused, or its conversion ends there."""

from typing import Final

from webhooks.errors import NoAudio

WANTED: Final = "Send a WAV (PCM, G.711 or GSM), an MP3 or an Ogg file."
CHANNELS: Final = 8
RATES: Final = (4_000, 192_000)  # Hz
SECONDS: Final = 4 * 3600


def check_bounds(channels: int, rate: int) -> None:
    """Raise NoAudio for too many channels, and for a rate that no sound card has."""
    if not 1 <= channels <= CHANNELS:
        raise NoAudio(f"The file says that it has {channels:,} channels; 1 to {CHANNELS} are taken.")
    if not RATES[0] <= rate <= RATES[1]:
        raise NoAudio(
            f"The file says that it has {rate:,} samples a second; {RATES[0]:,} to {RATES[1]:,} are taken."
        )


def check_length(seconds: float) -> None:
    """Raise NoAudio for more than four hours."""
    if seconds > SECONDS:
        raise NoAudio(
            f"The recording is {seconds / 3600:,.1f} hours long; {SECONDS // 3600} hours are taken at most. "
            "Send it in parts."
        )
