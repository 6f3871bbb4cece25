"""SQL of the table ``media``: a recording's state from its upload on. In the caller's transaction."""

import uuid
from dataclasses import dataclass
from typing import Final

from webhooks.db.raw import RawConnection
from webhooks.media.transcode import Sound

MAX_TRIES: Final = 3  # conversions that never came to an end: what kills the converter is not tried for ever
SHORT_MS: Final = 180_000  # recordings that state no more than this have a converter of their own

_INSERT = """
    INSERT INTO media (id, event_id, state, filename, size, milliseconds, tries, created_at)
    VALUES (:id, :event_id, 'waiting', :filename, :size, :milliseconds, 0, :now)
"""
_COLUMNS = "id, event_id, (SELECT uid FROM event WHERE event.id = event_id), size, tries, created_at"
# What has ended a converter comes after all that has not.
_WAITING = f"""
    SELECT {_COLUMNS} FROM media WHERE state = 'waiting'
    ORDER BY tries, created_at LIMIT 100
"""
_WAITING_SHORT = f"""
    SELECT {_COLUMNS} FROM media
    WHERE state = 'waiting' AND milliseconds <= {SHORT_MS} ORDER BY tries, created_at LIMIT 100
"""
_STILL_WAITING = f"SELECT {_COLUMNS} FROM media WHERE id = :id AND state = 'waiting'"
_BEGIN = "UPDATE media SET tries = tries + 1 WHERE id = :id AND state = 'waiting'"
_NOT_BEGUN = "UPDATE media SET tries = tries - 1 WHERE id = :id AND tries > 0"
_LONG = "UPDATE media SET tries = tries - 1, milliseconds = NULL WHERE id = :id AND tries > 0"
_READY = """
    UPDATE media SET state = 'ready', size = :size, milliseconds = :milliseconds, channels = :channels,
           error = :fault, finished_at = :now WHERE id = :id AND state = 'waiting'
"""
_FAILED = """
    UPDATE media SET state = 'failed', error = :error, milliseconds = NULL, finished_at = :now
    WHERE id = :id AND state = 'waiting'
"""
_ERASED = """
    UPDATE media SET state = 'erased', error = :error, size = 0, finished_at = :now
    WHERE id = :id AND state = 'ready'
"""
_WITHOUT_SOURCE = "UPDATE media SET size = 0 WHERE id = :id AND state = 'failed'"
_WANTED = """
    SELECT id FROM media WHERE id = :id
    AND (state = 'waiting' OR (state = 'ready' AND :final = 1) OR (state = 'failed' AND :final = 0))
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recording to be converted."""

    id: str
    event_id: int
    event_uid: bytes
    size_bytes: int
    tries: int
    created_ms: int

    @property
    def event(self) -> str:
        """The event's id on the wire."""
        return str(uuid.UUID(bytes=self.event_uid))


def insert(
    direct: RawConnection,
    media_id: str,
    event_id: int,
    filename: str,
    size: int,
    milliseconds: int | None,
    now: int,
) -> None:
    """Add a recording whose file is in its place. ``milliseconds`` is what it states, None if nothing."""
    parameters = {"id": media_id, "event_id": event_id, "filename": filename, "size": size,
                  "milliseconds": milliseconds, "now": now}  # fmt: skip
    direct.run(_INSERT, parameters)


def waiting(direct: RawConnection, *, short: bool) -> list[Waiting]:
    """Read the oldest recordings that wait, all or the short ones alone."""
    return [Waiting(*row) for row in direct.rows(_WAITING_SHORT if short else _WAITING)]


def still_waiting(direct: RawConnection, media_id: str) -> Waiting | None:
    """Read one recording, if it still waits."""
    row = direct.row(_STILL_WAITING, {"id": media_id})
    return Waiting(*row) if row else None


def begin(direct: RawConnection, media_id: str) -> bool:
    """Count a conversion before it begins. Returns False where the recording does not wait any more."""
    return direct.run(_BEGIN, {"id": media_id}) == 1


def not_begun(direct: RawConnection, media_id: str) -> None:
    """Take back ``begin``: the conversion was interrupted by us, and does not count as a try."""
    direct.run(_NOT_BEGUN, {"id": media_id})


def not_short(direct: RawConnection, media_id: str) -> None:
    """Note that a recording is longer than it stated: the other converter begins it anew."""
    direct.run(_LONG, {"id": media_id})


def set_ready(direct: RawConnection, media_id: str, size_bytes: int, sound: Sound, now: int) -> bool:
    """Note that the MP3 is in its place. Returns False where nobody wants it any more."""
    parameters = {"id": media_id, "size": size_bytes, "milliseconds": sound.milliseconds,
                  "channels": sound.channels, "fault": sound.fault, "now": now}  # fmt: skip
    return direct.run(_READY, parameters) == 1


def set_failed(direct: RawConnection, media_id: str, why: str, now: int) -> bool:
    """Note that nothing came of a recording. Returns False where nobody wants it any more.

    Its file stays until the retention removes it, or lack of room does.
    """
    return direct.run(_FAILED, {"id": media_id, "error": why, "now": now}) == 1


def set_erased(direct: RawConnection, media_id: str, why: str, now: int) -> bool:
    """Note that a recording's file goes, whatever became of it. Returns whether it could be heard before."""
    if direct.run(_ERASED, {"id": media_id, "error": why, "now": now}) == 1:
        return True
    direct.run(_WITHOUT_SOURCE, {"id": media_id})
    return False


def wanted(direct: RawConnection, media_id: str, *, final: bool) -> bool:
    """Whether a row wants this file: the MP3 (``final``), or what it is or was to be made from."""
    return direct.row(_WANTED, {"id": media_id, "final": int(final)}) is not None
