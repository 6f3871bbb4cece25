"""The journal of a connection: the messages of calls that are not over, so that a restart knows them.

A translator keeps calls in memory. After the process ended, however it did, a new translator reads the
journal and is where the former one was; its events have the ids that they had, so that none is stored twice.
A line is a JSON object: ``ms``, and the bytes of an ``event`` or of a list of ``channels`` as Latin-1 texts.
The messages of calls that are over are taken out.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from webhooks.pbx.live import Marks
from webhooks.pbx.open_calls import Group, OpenCalls

# Lines of calls that are over have people's numbers in them, and stay no longer than one of these allows.
_SPARE_LINES: Final = 5_000
_SPARE: Final = timedelta(minutes=1)
_SYNC: Final = timedelta(seconds=1)  # the most that a power cut takes

log = logging.getLogger(__name__)


class Journal:
    """One file, written by one thread. Nothing is on disk before ``flush``. ``marks`` reads its messages."""

    def __init__(self, path: Path, marks: Callable[[bytes], Marks]) -> None:
        self._path = path
        self._calls = OpenCalls(marks)
        self._groups: list[tuple[Group, ...]] = []  # those that each line of the file is about
        self._kept_lines = 0
        self._waiting: list[str] = []
        self._rewritten_at = self._synced_at = datetime.now(UTC)
        self._is_synced = True
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def read(self) -> Iterator[tuple[datetime, str, list[bytes]]]:
        """Read what an earlier process left: (time, "event" or "channels", messages), in order.

        The last line may have been cut by the crash; it is left out, and so is what cannot be read.
        """
        for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
            if not line:
                continue
            try:
                entry = json.loads(line)
                at = datetime.fromtimestamp(entry["ms"] / 1000, UTC)
                kind = "channels" if "channels" in entry else "event"
                content = [text.encode("latin-1") for text in entry[kind]]
                self._note(kind, content, at)
            except (ValueError, KeyError, TypeError, AttributeError):
                log.warning("line of a journal passed over", extra={"journal": self._path.name})
                self._groups.append(())
                continue
            yield at, kind, content
        self._rewrite(datetime.now(UTC))

    def add(self, raw: bytes, at: datetime) -> None:
        """Note a message."""
        self._append("event", [raw], at)

    def add_channels(self, channels: Sequence[bytes], at: datetime) -> None:
        """Note the channels that the phone system listed."""
        self._append("channels", channels, at)

    def flush(self, now: datetime) -> None:
        """Write what was noted: a process that is killed does not lose it. Shorten the file now and then.

        It is forced to the disk once a second, and not each time: the disk would be the slowest part.
        """
        if self._waiting:
            self._file.write("".join(self._waiting))
            self._file.flush()
            self._waiting.clear()
            self._is_synced = False
        if not self._is_synced and abs(now - self._synced_at) >= _SYNC:
            os.fsync(self._file.fileno())
            self._is_synced, self._synced_at = True, now
        self._calls.over(now.timestamp())
        if self._groups and not self._calls:
            self._file.truncate(0)
            self._groups, self._kept_lines = [], 0
        elif len(self._groups) > 2 * self._kept_lines + _SPARE_LINES or self._is_old(now):
            self._rewrite(now)

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """Delete the journal, with a connection that is no more."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _append(self, kind: str, messages: Sequence[bytes], at: datetime) -> None:
        texts = [raw.decode("latin-1") for raw in messages]
        self._waiting.append(json.dumps({"ms": at.timestamp() * 1000, kind: texts}) + "\n")
        self._note(kind, messages, at)

    def _note(self, kind: str, messages: Sequence[bytes], at: datetime) -> None:
        at_s = at.timestamp()
        self._groups.append(tuple(filter(None, [self._calls.add(each, at_s) for each in messages])))
        if kind == "channels":
            self._calls.keep_only({self._calls.marks(raw).own for raw in messages}, at_s)

    def _is_old(self, now: datetime) -> bool:
        return len(self._groups) > self._kept_lines and now - self._rewritten_at > _SPARE

    def _rewrite(self, now: datetime) -> None:
        """Write the file anew, without the messages of calls that are over."""
        draft = self._path.with_suffix(".new")
        kept: list[tuple[Group, ...]] = []
        with (
            self._path.open(encoding="utf-8", errors="replace") as old,
            draft.open("w", encoding="utf-8") as new,
        ):
            for line, groups in zip(old, self._groups, strict=False):
                if any(map(self._calls.is_open, groups)):
                    new.write(line)
                    kept.append(groups)
            new.flush()
            os.fsync(new.fileno())
        self._file.close()
        draft.rename(self._path)
        self._file = self._path.open("a", encoding="utf-8")
        self._groups, self._kept_lines, self._rewritten_at = kept, len(kept), now
