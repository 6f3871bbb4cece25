"""The rows of recordings: what belongs to which event, and how far it is. In the caller's transaction."""

from dataclasses import dataclass
from typing import Final

from webhooks.direct import Direct
from webhooks.media.audio import Sound
from webhooks.media.payload import with_error

WAITING, READY, FAILED, ERASED = "waiting", "ready", "failed", "erased"
TRIES: Final = 5  # conversions that never came to an end: what kills the converter is not tried for ever

_INSERT = """
    INSERT INTO media (id, event_id, state, filename, size, tries, created_at)
    VALUES (:id, :event_id, 'waiting', :filename, :size, 0, :now)
"""
_WAITING = """
    SELECT id, event_id, size, tries, created_at FROM media WHERE state = 'waiting'
    ORDER BY created_at LIMIT 100
"""
_ONE = "SELECT id, event_id, size, tries, created_at FROM media WHERE id = :id AND state = 'waiting'"
_BEGIN = "UPDATE media SET tries = tries + 1 WHERE id = :id AND state = 'waiting'"
_NOT_BEGUN = "UPDATE media SET tries = tries - 1 WHERE id = :id AND tries > 0"
_READY = """
    UPDATE media SET state = 'ready', size = :size, milliseconds = :milliseconds, channels = :channels,
           finished_at = :now WHERE id = :id AND state = 'waiting'
"""
_GONE = """
    UPDATE media SET state = :state, error = :error, size = 0, finished_at = :now
    WHERE id = :id AND state = :before
"""
_BODY = "SELECT body FROM event WHERE id = :id"
_SET_BODY = "UPDATE event SET body = :body WHERE id = :id"
_KNOWN = "SELECT id FROM media WHERE id = :id AND (state = 'waiting' OR (state = 'ready' AND :final = 1))"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recording to be converted; times in ms, size in bytes."""

    id: str
    event_id: int
    size: int
    tries: int
    created_at: int


def insert(direct: Direct, media_id: str, event_id: int, filename: str, size: int, now: int) -> None:
    """A recording whose file is placed."""
    direct.run(
        _INSERT, {"id": media_id, "event_id": event_id, "filename": filename, "size": size, "now": now}
    )


def waiting(direct: Direct) -> list[Waiting]:
    """The oldest that wait."""
    return [Waiting(*row) for row in direct.rows(_WAITING)]


def still_waiting(direct: Direct, media_id: str) -> Waiting | None:
    row = direct.row(_ONE, {"id": media_id})
    return Waiting(*row) if row else None


def begin(direct: Direct, media_id: str) -> bool:
    """Count a conversion, before it begins; False where it is not wanted any more."""
    return direct.run(_BEGIN, {"id": media_id}) == 1


def not_begun(direct: Direct, media_id: str) -> None:
    """The recording had no part in it that its conversion came to no end."""
    direct.run(_NOT_BEGUN, {"id": media_id})


def ready(direct: Direct, one: Waiting, size: int, sound: Sound, now: int) -> bool:
    """The MP3 is in its place; False where nobody wants it any more."""
    parameters = {"id": one.id, "size": size, "milliseconds": sound.milliseconds,
                  "channels": sound.channels, "now": now}  # fmt: skip
    return direct.run(_READY, parameters) == 1


def give_up(
    direct: Direct, media_id: str, event_id: int, before: str, state: str, why: str, now: int
) -> bool:
    """There is no recording, or none any more: the event says so from now on. ``state``: FAILED, ERASED."""
    parameters = {"id": media_id, "state": state, "error": why, "before": before, "now": now}
    if direct.run(_GONE, parameters) != 1:
        return False
    row = direct.row(_BODY, {"id": event_id})
    assert row is not None, "a recording's event is there"
    direct.run(_SET_BODY, {"id": event_id, "body": with_error(row[0], why)})
    return True


def wanted(direct: Direct, media_id: str, *, final: bool) -> bool:
    """Whether a row wants this file: the MP3 (``final``), or what it is made from."""
    return direct.row(_KNOWN, {"id": media_id, "final": int(final)}) is not None
