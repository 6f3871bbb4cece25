"""The media process: makes MP3s of what waits, the oldest first, and lets the events go.

RQ wakes it, as it wakes the engines; the database says what waits, and is asked once a second all the same.
Who converts a file holds its lock: two processes never work on the same one, and after a ``kill -9`` the
next start begins it anew. Every step can be done twice.
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import IO, Final

from webhooks.db import Store, now_ms
from webhooks.delivery import outcomes, wakeup
from webhooks.delivery.wakeup import MEDIA_QUEUE, Waker
from webhooks.errors import Busy, DiskFull, NoAudio
from webhooks.media import shelf
from webhooks.media.audio import Sound, Stopped, convert
from webhooks.media.files import Folder, alone
from webhooks.media.shelf import Waiting
from webhooks.media.steps import passed
from webhooks.operate import logs, stopping
from webhooks.settings import Settings

_LOOK_SECONDS: Final = 1.0
_MISSING_MS: Final = 600_000  # a file that is not here may be on another machine's disk for so long
_NICENESS: Final = 10  # a conversion takes a processor for a while: events go first

log = logging.getLogger(__name__)


class Converter:
    """Works in a thread of its own; the main thread is RQ's."""

    def __init__(self, settings: Settings, store: Store, waker: Waker) -> None:
        self._settings, self._store, self._waker = settings, store, waker
        self._folder = Folder(settings.data)
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="converter", daemon=True)

    def start(self) -> None:
        self._folder.make()
        self._waker.start()
        self._thread.start()

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
                    self._convert(one)
            except Stopped:
                return
            except (Busy, DiskFull) as error:
                log.warning("media: %s", error)
                pause = 5.0
            except Exception:
                log.exception("a conversion ended in a fault of ours")
                pause = 5.0
            self._wanted.wait(pause)
            self._wanted.clear()

    def _look(self) -> list[Waiting]:
        with self._store.direct_read() as direct:
            return shelf.waiting(direct)

    def _convert(self, one: Waiting) -> None:
        source = self._folder.source(one.id)
        if not source.exists():
            if now_ms() - one.created_at > _MISSING_MS:
                self._fail(one, "The recording's file is missing in the media folder.")
            return
        with alone(source) as fd:
            if fd is not None and self._begin(one):
                began = time.monotonic()
                try:
                    sound = self._make(one, source)
                except (Stopped, DiskFull):
                    with self._store.direct(wait=None) as direct:
                        shelf.not_begun(direct, one.id)
                    raise
                except NoAudio as error:
                    self._fail(one, str(error))
                else:
                    self._finish(one, sound, time.monotonic() - began)
                source.unlink(missing_ok=True)
                passed("cleared")

    def _begin(self, one: Waiting) -> bool:
        with self._store.direct(wait=None) as direct:
            present = shelf.still_waiting(direct, one.id)
            if present is None:
                return False
            begun = present.tries < shelf.TRIES and shelf.begin(direct, one.id)
        if not begun:
            self._fail(one, f"The converter has ended {shelf.TRIES} times on this recording.")
            self._folder.source(one.id).unlink(missing_ok=True)
        return begun

    def _make(self, one: Waiting, source: Path) -> Sound:
        """Write the MP3 beside its place, force it to the disk, put it in its place."""
        self._folder.check_space()
        draft = self._folder.draft(one.id)
        draft.unlink(missing_ok=True)
        try:
            with source.open("rb") as file, draft.open("xb") as target:
                sound = convert(file, target, self._settings.max_media, lambda: self._stopping)
                if sound.as_it_is:
                    _copy(file, target)
                target.flush()
                os.fsync(target.fileno())
            passed("encoded")
            self._folder.store(draft, one.id)
            passed("stored")
            return sound
        except OSError as error:
            raise DiskFull(f"A recording cannot be converted: {error.strerror}.") from error
        finally:
            draft.unlink(missing_ok=True)

    def _finish(self, one: Waiting, sound: Sound, seconds: float) -> None:
        final = self._folder.final(one.id)
        size = final.stat().st_size
        with self._store.direct(wait=None) as direct:
            wanted = shelf.ready(direct, one, size, sound, now_ms())
            if wanted:
                outcomes.media_is_there(direct, one.event_id, now_ms())
        passed("finished")
        if not wanted:  # erased meanwhile
            final.unlink(missing_ok=True)
            return
        self._waker.wake()
        log.info(
            "media %s is ready: %.1f s of sound, %d bytes, in %.1f s",
            one.id, sound.milliseconds / 1000, size, seconds,
        )  # fmt: skip

    def _fail(self, one: Waiting, why: str) -> None:
        with self._store.direct(wait=None) as direct:
            if not shelf.give_up(direct, one.id, one.event_id, shelf.WAITING, shelf.FAILED, why, now_ms()):
                return
            outcomes.media_is_there(direct, one.event_id, now_ms())
        self._waker.wake()
        log.warning("media %s cannot be used, its event goes out without it: %s", one.id, why)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    source.seek(0)
    target.seek(0)
    while piece := source.read(1 << 20):
        target.write(piece)
    target.truncate()


def run(settings: Settings, name: str) -> int:
    """Convert until SIGTERM or SIGINT. The answer is the exit status."""
    logs.set_up(name, settings.log)
    os.nice(_NICENESS)
    converter = Converter(settings, Store(settings), Waker(settings))
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        converter.stop()
        os._exit(0)  # RQ, in the main thread, may hang on Redis for minutes

    try:
        converter.start()
    except OSError as error:
        log.warning("recordings cannot be converted: %s", error)
        return 1
    stopping.on_signal(stop)
    while not stopped.is_set():
        wakeup.work(settings, name, converter.kick, MEDIA_QUEUE)
        stopped.wait(1)  # without Redis it looks by itself
    threading.Event().wait()
    return 0
