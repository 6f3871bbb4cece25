"""Recorded streams, what our translator makes of them, and what it should make of them."""

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from webhooks.pbx.asterisk import AsteriskOptions, Translator

FOLDER: Final = Path(__file__).parent
LAB: Final = FOLDER / "captures" / "asterisk-lab"
OLD: Final = FOLDER / "captures" / "cacofonisk"
BEGIN: Final = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
OLD_TRUNKS: Final = ("voipgrid_in*",)  # that site's own context
_SHOWN: Final = ("internal", "queue", "answered_by", "transferred_to", "ended_by", "reconstructed")

Fields = list[tuple[str, str]]
Event = dict[str, object]
Timed = tuple[datetime, Fields]


def messages(path: Path) -> list[Timed]:
    """A recording's messages with their times. The old ones have none: 10 ms lie between theirs."""
    text = gzip.decompress(path.read_bytes()).decode()
    if text.startswith("["):
        found = [(10.0 * n, list(event.items())) for n, event in enumerate(json.loads(text))]
    else:
        lines = map(json.loads, text.splitlines())
        found = [
            (line["ms"], [(key, value) for key, value in line["event"]]) for line in lines if "event" in line
        ]
    return [(BEGIN + timedelta(milliseconds=ms), fields) for ms, fields in found]


def options(path: Path) -> AsteriskOptions:
    """How a recording is read: internal calls too, the old site with its trunk's context."""
    if OLD in path.parents:
        return AsteriskOptions(internal_calls=True, trunk_contexts=OLD_TRUNKS)
    return AsteriskOptions(internal_calls=True)


def translate(translator: Translator, stream: Iterable[Timed]) -> list[Event]:
    """Feed all of a stream and return what comes out."""
    return [event for at, fields in stream for event in translator.feed(fields, at)]


def shuffled(
    stream: Iterable[Timed],
    chance: random.Random,
    window: timedelta,
    channels_of: Callable[[Fields], set[str]],
) -> list[Timed]:
    """Another order of a stream: each channel's messages keep theirs, others overtake within ``window``."""
    rest, out = list(stream), []
    while rest:
        held: set[str] = set()
        free: list[int] = []
        for index, (at, fields) in enumerate(rest):
            if at - rest[0][0] > window:
                break
            own = channels_of(fields)
            if not own & held:
                free.append(index)
            held |= own
        out.append(rest.pop(chance.choice(free)))
    return out


def described(events: Iterable[Event]) -> list[str]:
    """Events as lines, by thread: ``incoming_call ringing from=… to=…``, ``thread=2`` from the second on.

    Threads are numbered by their first event; ``related`` says which one a call was joined with.
    """
    threads: dict[object, list[Event]] = {}
    for event in events:
        threads.setdefault(event["thread_id"], []).append(event)
    numbers = {thread: number for number, thread in enumerate(threads, 1)}
    lines = []
    for thread, own in threads.items():
        for event in own:
            words = [str(event["type"]), str(event["subtype"]), f"from={event['from']}", f"to={event['to']}"]
            words += [f"{name}={event[name]}" for name in _SHOWN if name in event]
            if "related_thread_id" in event:
                words.append(f"related={numbers.get(event['related_thread_id'], 'untold')}")
            if numbers[thread] > 1:
                words.append(f"thread={numbers[thread]}")
            lines.append(" ".join(words))
    return lines


def expected(name: str) -> dict[str, list[str]]:
    """Read a file of expectations: a recording on a line, its events indented below, ``#`` says why."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "expected" / name).read_text().splitlines():
        if line.startswith("  "):
            found[next(reversed(found))].append(line.strip())
        elif line and not line.startswith("#"):
            found[line] = []
    return found


def lab_recordings() -> Iterator[tuple[str, Path]]:
    """All of the lab's courses, on both versions: ``22/busy`` and so on."""
    for path in sorted(LAB.glob("*/*.jsonl.gz")):
        yield f"{path.parent.name}/{path.name.split('.')[0]}", path


def old_recordings() -> Iterator[tuple[str, Path]]:
    """All of the old ones: ``simple/ab_dnd`` and so on."""
    for path in sorted(OLD.glob("*/*.json.gz")):
        yield f"{path.parent.name}/{path.name.split('.')[0]}", path
