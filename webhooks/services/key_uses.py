"""When API keys were last used: told to the minute, written beside the requests' way."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from webhooks.db.store import Store, now_ms
from webhooks.errors import Unavailable
from webhooks.events.first_use import FirstUse

_EVERY_S: Final = 60.0
_AGAIN_S: Final = 5.0  # after the database could not be written
_SET: Final = """
    UPDATE api_key SET last_used_at = :at WHERE id = :id AND COALESCE(last_used_at, 0) < :at
"""

log = logging.getLogger(__name__)


class KeyUses:
    """Notes uses in memory; a thread, which starts with the first one, writes them.

    What a process noted last is lost when it is killed: the next use tells it.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._noted_s: dict[int, float] = {}
        self._unwritten: dict[int, int] = {}  # key's id: when, in ms
        self._wanted = threading.Event()
        self._start = FirstUse(self._start_thread)

    def note(self, key_id: int) -> None:
        """Note that a key is used now, unless that was noted in the last minute."""
        at_s = self._clock()
        with self._lock:
            if at_s - self._noted_s.get(key_id, -_EVERY_S) < _EVERY_S:
                return
            self._noted_s[key_id] = at_s
            self._unwritten[key_id] = now_ms()
        self._start()
        self._wanted.set()

    def flush(self) -> None:
        """Write down what was noted.

        Raises:
            Unavailable: the database cannot be written now. What was noted is kept for the next flush.
        """
        with self._lock:
            taken, self._unwritten = self._unwritten, {}
        try:
            with self._store.direct() as direct:
                for key_id, at_ms in sorted(taken.items()):
                    direct.run(_SET, {"id": key_id, "at": at_ms})
        except Unavailable:
            with self._lock:
                self._unwritten = taken | self._unwritten
            raise

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name="uses", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self.flush()
            except Unavailable as error:
                log.warning("uses of API keys not written yet", extra={"reason": error})
                time.sleep(_AGAIN_S)
                self._wanted.set()
            except Exception:
                log.exception("uses of API keys lost")
