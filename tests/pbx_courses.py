"""Events of a call in short, for tests of translators."""

from collections.abc import Sequence

from webhooks.events.schema import make_event
from webhooks.pbx.finished import Event, Told
from webhooks.pbx.merging import merge

MORE = ("queue", "transferred_to", "did", "filename", "ended_by", "sip_code", "internal")


def told(message: Told) -> list[str]:
    """What a message comes to, once the window is over."""
    return short([*message.now, *merge(message.later)])


def short(events: Sequence[Event]) -> list[str]:
    """Each event as a line: type, status, parties, time, and the further fields that courses differ in.

    Every one has to be an event that the hook would take.
    """
    return [_line(event) for event in events]


def _line(event: Event) -> str:
    make_event(event)
    words = [str(event["type"]), str(event.get("subtype", "")), f"{event['from']}>{event['to']}"]
    if "timestamp" in event:
        words.append(str(event["timestamp"])[11:19])
    words += [f"{name}={event[name]}" for name in MORE if name in event]
    return " ".join(word for word in words if word)
