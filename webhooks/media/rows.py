"""The rows of recordings: what belongs to which event, and how far it is. In the caller's transaction."""

import uuid
from dataclasses import dataclass
from typing import Final

from webhooks.db.raw import RawConnection
from webhooks.media.payload import with_error
from webhooks.media.transcode import Sound

TRIES: Final = 3  # conversions that never came to an end: what kills the converter is not tried for ever
SHORT_MS: Final = 180_000  # a recording that says it is no longer than this is converted past long ones

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
_ONE = f"SELECT {_COLUMNS} FROM media WHERE id = :id AND state = 'waiting'"
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
_BODY = "SELECT body FROM event WHERE id = :id"
_SET_BODY = "UPDATE event SET body = :body WHERE id = :id"
_KNOWN = """
    SELECT id FROM media WHERE id = :id
    AND (state = 'waiting' OR (state = 'ready' AND :final = 1) OR (state = 'failed' AND :final = 0))
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recording to be converted; times in ms, size in bytes."""

    id: str
    event_id: int
    event_uid: bytes
    size: int
    tries: int
    created_at: int

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
    """A recording whose file is placed. ``milliseconds``: what it says it has, None if it says nothing."""
    parameters = {"id": media_id, "event_id": event_id, "filename": filename, "size": size,
                  "milliseconds": milliseconds, "now": now}  # fmt: skip
    direct.run(_INSERT, parameters)


def waiting(direct: RawConnection, *, short: bool) -> list[Waiting]:
    """The oldest that wait, all or the short ones alone."""
    return [Waiting(*row) for row in direct.rows(_WAITING_SHORT if short else _WAITING)]


def still_waiting(direct: RawConnection, media_id: str) -> Waiting | None:
    row = direct.row(_ONE, {"id": media_id})
    return Waiting(*row) if row else None


def begin(direct: RawConnection, media_id: str) -> bool:
    """Count a conversion, before it begins; False where it is not wanted any more."""
    return direct.run(_BEGIN, {"id": media_id}) == 1


def not_begun(direct: RawConnection, media_id: str) -> None:
    """The recording had no part in it that its conversion came to no end."""
    direct.run(_NOT_BEGUN, {"id": media_id})


def not_short(direct: RawConnection, media_id: str) -> None:
    """The recording is longer than it said: another converter begins it anew."""
    direct.run(_LONG, {"id": media_id})


def ready(direct: RawConnection, one: Waiting, size: int, sound: Sound, now: int) -> bool:
    """The MP3 is in its place, its event says what is wrong with it; False where nobody wants it any more."""
    parameters = {"id": one.id, "size": size, "milliseconds": sound.milliseconds,
                  "channels": sound.channels, "fault": sound.fault, "now": now}  # fmt: skip
    if direct.run(_READY, parameters) != 1:
        return False
    if sound.fault:
        _say(direct, one.event_id, sound.fault)
    return True


def fail(direct: RawConnection, one: Waiting, why: str, now: int) -> bool:
    """Nothing came of a recording: the event says so. Its file stays until retention takes it, or lack of
    room."""
    if direct.run(_FAILED, {"id": one.id, "error": why, "now": now}) != 1:
        return False
    _say(direct, one.event_id, why)
    return True


def erase(direct: RawConnection, media_id: str, event_id: int, why: str, now: int) -> None:
    """The recording's file goes, whatever became of it; the event of one that was ready says so."""
    if direct.run(_ERASED, {"id": media_id, "error": why, "now": now}) == 1:
        _say(direct, event_id, why)
    else:
        direct.run(_WITHOUT_SOURCE, {"id": media_id})


def _say(direct: RawConnection, event_id: int, sentence: str) -> None:
    row = direct.row(_BODY, {"id": event_id})
    assert row is not None, "a recording's event is there"
    direct.run(_SET_BODY, {"id": event_id, "body": with_error(row[0], sentence)})


def wanted(direct: RawConnection, media_id: str, *, final: bool) -> bool:
    """Whether a row wants this file: the MP3 (``final``), or what it is or was to be made from."""
    return direct.row(_KNOWN, {"id": media_id, "final": int(final)}) is not None
