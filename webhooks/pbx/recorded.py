"""A recorded stream: JSON lines, of which ``{"ms": …, "event": [[key, value], …]}`` is a message as it came.

``ms`` counts from any moment. The phone system's dialect knows which messages tell the date.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

Fields = list[tuple[str, str]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MS: Final = 1e13  # a later time than this is none


def read(
    lines: Iterable[str], began_at: Callable[[float, Fields], datetime | None]
) -> Iterator[tuple[datetime, Fields]]:
    """Return the messages of a recording with their times of arrival. Other lines are passed over.

    Times are those of ``ms``, moved so that the recording began when ``began_at`` says of a message's ms and
    fields; None: that message does not say.
    """
    begin: datetime | None = None
    waiting: list[tuple[float, Fields]] = []
    for line in lines:
        message = _message(line)
        if message is None:
            continue
        if begin is None:
            waiting.append(message)
            begin = began_at(*message)
            if begin is None:
                continue
            messages, waiting = waiting, []
        else:
            messages = [message]
        for ms, fields in messages:
            yield begin + timedelta(milliseconds=ms), fields
    for ms, fields in waiting:
        yield _EPOCH + timedelta(milliseconds=ms), fields


def _message(line: str) -> tuple[float, Fields] | None:
    try:
        item = json.loads(line)
    except ValueError:
        return None
    if not isinstance(item, dict):
        return None
    event, ms = item.get("event"), item.get("ms", 0)
    if not isinstance(event, list) or not all(map(_is_pair, event)):
        return None
    is_time = isinstance(ms, int | float) and not isinstance(ms, bool) and 0 <= ms <= _MOST_MS
    return (float(ms) if is_time else 0.0), [(key, value) for key, value in event]


def _is_pair(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(isinstance(text, str) for text in item)
