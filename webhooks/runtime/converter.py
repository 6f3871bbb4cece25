"""The media processes: make MP3s of what waits, the oldest first, and let the events go.

RQ wakes them, as it wakes the engines; the database says what waits, and is asked once a second all the same.
Who converts a file holds its lock: two processes never work on the same one, and after a ``kill -9`` the
next start begins it anew. Every step can be done twice. One of the two takes short recordings alone, so that
none waits behind a long one. Whatever one file does, it does to itself: all else of the queue goes on.
"""

import errno
import logging
import os
import threading
import time
from pathlib import Path
from typing import IO, Final

from webhooks.db.store import Store, now_ms
from webhooks.errors import Busy, DiskFull, NoAudio
from webhooks.media import rows
from webhooks.media.failpoints import passed
from webhooks.media.rows import Waiting
from webhooks.media.storage import Folder, alone
from webhooks.media.transcode import Limits, Sound, convert
from webhooks.outbox import settle, wakeup
from webhooks.outbox.wakeup import MEDIA_QUEUE, SHORT_MEDIA_QUEUE, Waker
from webhooks.runtime import logs, signals
from webhooks.settings import Settings

_LOOK_SECONDS: Final = 1.0
_MISSING_MS: Final = 600_000  # a file that is not here may be on another machine's disk for so long
_NICENESS: Final = 10  # a conversion takes a processor for a while: events go first
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_STUCK_SECONDS: Final = 10.0  # of processor time, in one step of a decoder
_SHORT_SECONDS: Final = 2 * rows.SHORT_MS / 1000  # what says it is short may be so long

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The process is to end: the recording is converted at the next start."""


class NotShort(Exception):
    """The recording is longer than it said, so it is the other converter's."""


class Converter:
    """Works in a thread of its own; the main thread is RQ's. ``short``: takes short recordings alone."""

    def __init__(self, settings: Settings, store: Store, waker: Waker, *, short: bool = False) -> None:
        self._settings, self._store, self._waker, self._short = settings, store, waker, short
        self._folder = Folder(settings.data)
        self._wanted = threading.Event()
        self._stopping = False
        self._working: Waiting | None = None
        self._step_at = 0.0  # processor time of the thread when its last step began
        self._thread = threading.Thread(target=self._run, name="converter", daemon=True)
        self._watch = threading.Thread(target=self._watch_steps, name="watch", daemon=True)

    def start(self) -> None:
        self._folder.make()
        self._waker.start()
        self._thread.start()
        self._watch.start()

    def kick(self) -> None:
        """Something may wait."""
        self._wanted.set()

    def stop(self) -> None:
        """Break off what is being done; it is begun anew at the next start."""
        self._stopping = True
        self._wanted.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping:
            pause = _LOOK_SECONDS
            try:
                for one in self._look():
                    if self._stopping:
                        return
                    self._take(one)
            except Stopped:
                return
            except (Busy, DiskFull) as error:
                log.warning("conversions put off", extra={"reason": error})
                pause = 5.0
            except Exception:
                log.exception("internal error; conversions put off")
                pause = 5.0
            self._wanted.wait(pause)
            self._wanted.clear()

    def _look(self) -> list[Waiting]:
        with self._store.direct_read() as direct:
            return rows.waiting(direct, short=self._short)

    def _take(self, one: Waiting) -> None:
        """Convert one, if nobody else does.

        Raises:
            Stopped. Busy, DiskFull: no other could be converted now, either.
        """
        source = self._folder.source(one.id)
        if not source.exists():
            if now_ms() - one.created_at > _MISSING_MS:
                self._fail(one, "The recording's file is missing in the media folder.")
            return
        try:
            with alone(source) as fd:
                if fd is not None and self._begin(one):
                    self._convert(one, source)
        except OSError as error:  # nobody can open it: all else has been seen to
            self._fail(one, f"The recording's file cannot be opened: {error.strerror}.")

    def _begin(self, one: Waiting) -> bool:
        with self._store.direct(wait=None) as direct:
            present = rows.still_waiting(direct, one.id)
            if present is None:
                return False
            begun = present.tries < rows.TRIES and rows.begin(direct, one.id)
        if not begun:
            self._fail(one, f"The conversion was begun {rows.TRIES} times and never came to its end.")
        return begun

    def _convert(self, one: Waiting, source: Path) -> None:
        began = time.monotonic()
        try:
            sound = self._make(one, source)
            self._finish(one, sound, time.monotonic() - began)
        except (Stopped, DiskFull, Busy):
            with self._store.direct(wait=None) as direct:
                rows.not_begun(direct, one.id)
            raise
        except NotShort:
            with self._store.direct(wait=None) as direct:
                rows.not_short(direct, one.id)
        except NoAudio as error:
            self._fail(one, str(error))
        except OSError as error:  # the disk's fault, perhaps: it is tried again, as often as any
            log.warning("recording not converted; it is tried again", extra={**_ids(one), "reason": error})
        except Exception as error:
            log.exception("recording not converted", extra=_ids(one))
            self._fail(one, f"The recording cannot be converted: {type(error).__name__}.")
        else:  # the MP3 is confirmed, or nobody wants it any more
            source.unlink(missing_ok=True)
            passed("cleared")

    def _make(self, one: Waiting, source: Path) -> Sound:
        """Write the MP3 beside its place, force it to the disk, put it in its place."""
        self._folder.check_space()
        draft = self._folder.draft(one.id)
        draft.unlink(missing_ok=True)
        self._step_at, self._working = time.thread_time(), one
        try:
            with source.open("rb") as file, draft.open("xb") as target:
                sound = convert(file, target, Limits(self._settings.max_media, self._step))
                if sound.as_it_is:
                    _copy(file, target)
                target.flush()
                os.fsync(target.fileno())
            passed("encoded")
            self._folder.store(draft, one.id)
            passed("stored")
            return sound
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise DiskFull(f"A recording cannot be converted: {error.strerror}.") from error
            raise
        finally:
            self._working = None
            draft.unlink(missing_ok=True)

    def _step(self, seconds: float) -> None:
        """Called by the conversion all the time, with the seconds of sound so far."""
        self._step_at = time.thread_time()
        if self._stopping:
            raise Stopped
        if self._short and seconds > _SHORT_SECONDS:
            raise NotShort

    def _watch_steps(self) -> None:
        """A decoder that goes round in circles cannot be stopped: its file fails, and the process ends."""
        assert self._thread.ident is not None
        clock = time.pthread_getcpuclockid(self._thread.ident)
        while self._thread.is_alive():
            time.sleep(1)
            working = self._working
            if working is not None and time.clock_gettime(clock) - self._step_at > _STUCK_SECONDS:
                log.error("decoder hangs; the converter starts anew", extra=_ids(working))
                try:
                    self._fail(working, "The recording cannot be converted: its decoder comes to no end.")
                finally:
                    os._exit(1)

    def _finish(self, one: Waiting, sound: Sound, seconds: float) -> None:
        final = self._folder.final(one.id)
        size = final.stat().st_size
        with self._store.direct(wait=None) as direct:
            wanted = rows.ready(direct, one, size, sound, now_ms())
            if wanted:
                settle.media_is_there(direct, one.event_id, now_ms())
        passed("finished")
        if not wanted:  # erased meanwhile
            final.unlink(missing_ok=True)
            return
        self._waker.wake()
        made = {"sound_s": sound.milliseconds / 1000, "size_bytes": size, "took_s": round(seconds, 1)}
        defect = {"reason": sound.fault} if sound.fault else {}
        log.info("recording ready", extra={**_ids(one), **made, **defect})

    def _fail(self, one: Waiting, why: str) -> None:
        """The event goes out without it. Its file stays: a person may make something of it yet."""
        with self._store.direct(wait=None) as direct:
            failed = rows.fail(direct, one, why, now_ms())
            if failed:
                settle.media_is_there(direct, one.event_id, now_ms())
        if failed:
            self._waker.wake()
            log.warning(
                "recording unusable; its event goes out without it", extra={**_ids(one), "reason": why}
            )


def _ids(waiting: Waiting) -> dict[str, str]:
    return {"media": waiting.id, "event": waiting.event}


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    source.seek(0)
    target.seek(0)
    while piece := source.read(1 << 20):
        target.write(piece)
    target.truncate()


def run(settings: Settings, name: str, *, short: bool = False) -> int:
    """Convert until SIGTERM or SIGINT. The answer is the exit status."""
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
        wakeup.work(settings, name, converter.kick, SHORT_MEDIA_QUEUE if short else MEDIA_QUEUE)
        stopped.wait(1)  # without Redis it looks by itself
    threading.Event().wait()
    return 0


def run_short(settings: Settings, name: str) -> int:
    """Convert short recordings until SIGTERM or SIGINT. The answer is the exit status."""
    return run(settings, name, short=True)
