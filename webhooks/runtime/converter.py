"""Converter processes: make MP3s of waiting recordings, the oldest first, and release their deliveries.

RQ wakes a converter, as it wakes a dispatcher. The database says what waits; the converter asks it once a
second all the same. A conversion holds the lock of its file, so that two processes never work on the same
recording, and after a ``kill -9`` the next start begins it anew: every step can be repeated. One of the two
processes takes short recordings only, so that none waits behind a long one. A failing recording fails alone.
"""

import errno
import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import IO, Final

from webhooks.db.store import Store, now_ms
from webhooks.errors import DiskFull, NoAudio, Unavailable
from webhooks.events.storage import add_error
from webhooks.media import rows
from webhooks.media.failpoints import failpoint
from webhooks.media.rows import Waiting
from webhooks.media.storage import Folder, exclusively
from webhooks.media.transcode import Limits, Sound, convert
from webhooks.outbox import settle, wakeup
from webhooks.outbox.wakeup import MEDIA_QUEUE, SHORT_MEDIA_QUEUE, Waker
from webhooks.runtime import logs, signals
from webhooks.settings import Settings

_POLL_SECONDS: Final = 1.0
_BACK_OFF_SECONDS: Final = 5.0
_MISSING_MS: Final = 600_000  # a missing file may be on another machine's disk; after this long it fails
_NICENESS: Final = 10  # a conversion keeps a processor busy: events go first
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_STUCK_SECONDS: Final = 10.0  # processor time that one step of a decoder may take
_SHORT_SECONDS: Final = 2 * rows.SHORT_MS / 1000  # longest sound of a recording that claims to be short

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The process ends; the recording is converted at the next start."""


class NotShort(Exception):
    """The recording is longer than it claims: the other converter takes it."""


class Converter:
    """Converts in a thread of its own, as the main thread is RQ's. ``short``: short recordings only."""

    def __init__(self, settings: Settings, store: Store, waker: Waker, *, short: bool = False) -> None:
        self._settings, self._store, self._waker, self._short = settings, store, waker, short
        self._folder = Folder(settings.data)
        self._wanted = threading.Event()
        self._stopping = False
        self._working: Waiting | None = None
        self._step_at_s = 0.0  # the thread's processor time when its last step began
        self._thread = threading.Thread(target=self._run, name="converter", daemon=True)
        self._watchdog = threading.Thread(target=self._watch_decoder, name="watchdog", daemon=True)

    def start(self) -> None:
        self._folder.make()
        self._waker.start()
        self._thread.start()
        self._watchdog.start()

    def wake(self) -> None:
        """Look for waiting recordings now."""
        self._wanted.set()

    def stop(self) -> None:
        """Break off the present conversion; the next start begins it anew."""
        self._stopping = True
        self._wanted.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping:
            pause_s = _POLL_SECONDS
            try:
                self.convert_waiting()
            except Stopped:
                return
            except (Unavailable, DiskFull) as error:
                log.warning("conversions put off", extra={"reason": error})
                pause_s = _BACK_OFF_SECONDS
            except Exception:
                log.exception("internal error; conversions put off")
                pause_s = _BACK_OFF_SECONDS
            self._wanted.wait(pause_s)
            self._wanted.clear()

    def convert_waiting(self) -> None:
        """Convert what waits, once through, the oldest first.

        Raises:
            Stopped. Unavailable, DiskFull: no recording can be converted now.
        """
        for recording in self._waiting():
            if self._stopping:
                raise Stopped
            self._take(recording)

    def _waiting(self) -> list[Waiting]:
        with self._store.direct_read() as direct:
            return rows.waiting(direct, short=self._short)

    def _take(self, recording: Waiting) -> None:
        """Convert a recording unless another process does.

        Raises:
            Stopped. Unavailable, DiskFull: no other could be converted now, either.
        """
        source = self._folder.source(recording.id)
        if not source.exists():
            if now_ms() - recording.created_ms > _MISSING_MS:
                self._fail(recording, "The recording's file is missing in the media folder.")
            return
        try:
            with exclusively(source) as fd:
                if fd is not None and self._begin(recording):
                    self._convert(recording, source)
        except OSError as error:  # of opening alone: errors of the conversion were handled
            self._fail(recording, f"The recording's file cannot be opened: {error.strerror}.")

    def _begin(self, recording: Waiting) -> bool:
        with self._store.direct(wait=None) as direct:
            present = rows.still_waiting(direct, recording.id)
            if present is None:
                return False
            begun = present.tries < rows.MAX_TRIES and rows.begin(direct, recording.id)
        if not begun:
            why = f"The conversion was begun {rows.MAX_TRIES} times and never came to its end."
            self._fail(recording, why)
        return begun

    def _convert(self, recording: Waiting, source: Path) -> None:
        began = time.monotonic()
        try:
            sound = self._make(recording, source)
            self._finish(recording, sound, time.monotonic() - began)
        except (Stopped, DiskFull, Unavailable):
            with self._store.direct(wait=None) as direct:
                rows.not_begun(direct, recording.id)
            raise
        except NotShort:
            with self._store.direct(wait=None) as direct:
                rows.not_short(direct, recording.id)
        except NoAudio as error:
            self._fail(recording, str(error))
        except OSError as error:  # perhaps the disk's: the try counts, and another follows
            log.warning(
                "recording not converted; it is tried again", extra={**_ids(recording), "reason": error}
            )
        except Exception as error:
            log.exception("recording not converted", extra=_ids(recording))
            self._fail(recording, f"The recording cannot be converted: {type(error).__name__}.")
        else:  # the MP3 is committed, or its recording was erased meanwhile
            source.unlink(missing_ok=True)
            failpoint("cleared")

    def _make(self, recording: Waiting, source: Path) -> Sound:
        """Write the MP3 to a draft, sync it to the disk, move it to its place."""
        self._folder.check_space()
        draft = self._folder.draft(recording.id)
        draft.unlink(missing_ok=True)
        self._step_at_s, self._working = time.thread_time(), recording
        try:
            with source.open("rb") as file, draft.open("xb") as target:
                sound = convert(file, target, Limits(self._settings.max_media, self._step))
                if sound.as_it_is:
                    _copy(file, target)
                target.flush()
                os.fsync(target.fileno())
            failpoint("encoded")
            self._folder.store(draft, recording.id)
            failpoint("stored")
            return sound
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise DiskFull(f"A recording cannot be converted: {error.strerror}.") from error
            raise
        finally:
            self._working = None
            draft.unlink(missing_ok=True)

    def _step(self, seconds: float) -> None:
        """Note progress. The conversion calls it at each step, with the seconds of sound so far."""
        self._step_at_s = time.thread_time()
        if self._stopping:
            raise Stopped
        if self._short and seconds > _SHORT_SECONDS:
            raise NotShort

    def _watch_decoder(self) -> None:
        """Fail the recording of a decoder that hangs, and end the process: nothing else can stop it."""
        assert self._thread.ident is not None
        clock_id = time.pthread_getcpuclockid(self._thread.ident)
        while self._thread.is_alive():
            time.sleep(1)
            recording = self._working
            if recording is not None and time.clock_gettime(clock_id) - self._step_at_s > _STUCK_SECONDS:
                log.error("decoder hangs; the converter starts anew", extra=_ids(recording))
                try:
                    self._fail(recording, "The recording cannot be converted: its decoder comes to no end.")
                finally:
                    os._exit(1)

    def _finish(self, recording: Waiting, sound: Sound, took_s: float) -> None:
        final = self._folder.final(recording.id)
        size_bytes = final.stat().st_size
        with self._store.direct(wait=None) as direct:
            wanted = rows.set_ready(direct, recording.id, size_bytes, sound, now_ms())
            if wanted:
                if sound.fault:
                    add_error(direct, recording.event_id, sound.fault)
                settle.release_event(direct, recording.event_id, now_ms())
        failpoint("finished")
        if not wanted:  # erased meanwhile
            final.unlink(missing_ok=True)
            return
        self._waker.wake()
        made = {"sound_s": sound.milliseconds / 1000, "size_bytes": size_bytes, "took_s": round(took_s, 1)}
        defect = {"reason": sound.fault} if sound.fault else {}
        log.info("recording ready", extra={**_ids(recording), **made, **defect})

    def _fail(self, recording: Waiting, why: str) -> None:
        """Release the event without its recording. The file stays, for a person to rescue."""
        with self._store.direct(wait=None) as direct:
            failed = rows.set_failed(direct, recording.id, why, now_ms())
            if failed:
                add_error(direct, recording.event_id, why)
                settle.release_event(direct, recording.event_id, now_ms())
        if failed:
            self._waker.wake()
            log.warning(
                "recording unusable; its event goes out without it", extra={**_ids(recording), "reason": why}
            )


def _ids(waiting: Waiting) -> dict[str, str]:
    return {"media": waiting.id, "event": waiting.event}


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    source.seek(0)
    target.seek(0)
    shutil.copyfileobj(source, target, 1 << 20)
    target.truncate()


def run(settings: Settings, name: str, *, short: bool = False) -> int:
    """Convert until SIGTERM or SIGINT. Returns the exit status."""
    logs.set_up(name, settings.log)
    os.nice(_NICENESS)
    converter = Converter(settings, Store(settings), Waker(settings), short=short)
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        converter.stop()
        os._exit(0)  # RQ, in the main thread, may hang on Redis for minutes

    try:
        converter.start()
    except OSError as error:
        log.warning("converter cannot start", extra={"reason": error})
        return 1
    signals.on_signal(stop)
    while not stopped.is_set():
        wakeup.work(settings, name, converter.wake, SHORT_MEDIA_QUEUE if short else MEDIA_QUEUE)
        stopped.wait(1)  # without Redis the converter polls
    threading.Event().wait()
    return 0


def run_short(settings: Settings, name: str) -> int:
    """Convert short recordings until SIGTERM or SIGINT. Returns the exit status."""
    return run(settings, name, short=True)
