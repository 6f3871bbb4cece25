"""Decoding of recordings, frame by frame. What cannot be decoded is passed over, and noted."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from webhooks.errors import NoAudio
from webhooks.media.bounds import SECONDS, check_bounds
from webhooks.media.container import FAULTS, Opened, reason

_GAP_SECONDS: Final = 0.5
_CRUMBS: Final = 4096  # bytes behind the last frame that are no frame: tags, or one that was not finished
# Processor time that a pass over a recording may take: a start, and then half of what it plays.
_START_SECONDS: Final = 5.0
_SHARE: Final = 0.5


class Decoding:
    """A recording's frames, without their times; iterate once, then read the attributes.

    ``seconds`` of sound have come so far. ``fault`` is a sentence that says what is missing of the recording,
    None if nothing is.

    Args:
        check: called before each packet with the seconds so far; may raise to end it.
    """

    def __init__(self, source: Opened, check: Callable[[float], object] = lambda _: None) -> None:
        self._source, self._check = source, check
        self._began = time.thread_time()
        self._first: float | None = None  # what the times of an Ogg begin with
        self._doubt: str | None = None  # no damage, unless sound comes behind it or it is large
        self._doubted = self._doubts = 0
        self.seconds = 0.0
        self.fault: str | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            for packet in self._source.container.demux(self._source.stream):
                self._check(self.seconds)
                if self._is_enough():
                    return
                for frame in self._decode(packet):
                    if not self._heed(frame):
                        return
                    yield frame
        except FAULTS as error:
            self._note(f"The recording breaks off after {self.seconds:.1f} seconds: {reason(error)}.")
        self._end()

    def _decode(self, packet: Any) -> list[Any]:
        size = packet.size
        try:
            frames: list[Any] = packet.decode()
        except EOFError:  # something behind what its decoder took for the end
            return []
        except FAULTS as error:
            self._doubt = self._doubt or reason(error)
            self._doubts += 1
            self._doubted += size
            return []
        if frames and self._doubt:
            if self.seconds:  # in front of the first frame there may be anything
                self._note(
                    f"The recording breaks off after {self.seconds:.1f} seconds and goes on later: "
                    f"{self._doubt}."
                )
            self._doubt, self._doubts, self._doubted = None, 0, 0
        return frames

    def _heed(self, frame: Any) -> bool:
        """Count a frame. Returns False where the decoding ends with it."""
        try:
            check_bounds(len(frame.layout.channels), frame.sample_rate)
        except NoAudio as error:
            self._note(f"The recording breaks off after {self.seconds:.1f} seconds: {error}")
            return False
        if self._source.kind == "ogg" and frame.pts is not None:
            # Pages that are damaged are left out without a word: the times behind them tell of it.
            at = float(frame.pts * frame.time_base) - self.seconds
            self._first = at if self._first is None else self._first
            if at - self._first > _GAP_SECONDS:
                self._note(f"The recording breaks off after {self.seconds:.1f} seconds: a part is missing.")
                self._first = at
        self.seconds += frame.samples / frame.sample_rate
        frame.pts = None
        return True

    def _is_enough(self) -> bool:
        if self.seconds >= SECONDS:
            self._note(f"The recording is longer than {SECONDS // 3600} hours: the rest was left out.")
        elif time.thread_time() - self._began > _START_SECONDS + _SHARE * self.seconds:
            self._note(f"The recording breaks off after {self.seconds:.1f} seconds: it takes too long.")
        else:
            return False
        return True

    def _end(self) -> None:
        """Note at the end what should have come and did not."""
        source, seconds = self._source, self.seconds
        if self._doubt and (not seconds or (self._doubts > 1 and self._doubted > _CRUMBS)):
            self._note(f"The recording breaks off after {seconds:.1f} seconds: {self._doubt}.")
        elif source.certain and source.kind != "wav":
            missing = source.seconds - seconds
            if missing > max(_GAP_SECONDS, source.seconds / 50):
                self._note(f"The recording breaks off after {seconds:.1f} seconds of {source.seconds:.1f}.")
        if not seconds:
            self._note("There is no sound in the recording.")

    def _note(self, sentence: str) -> None:
        self.fault = self.fault or sentence
