"""Several views of one call, merged: each leg, phone or record has its own, and a call has one end."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from webhooks.catalogue import CALL_TYPES
from webhooks.pbx.finished import CLOSING, TAKEN, Event, seconds_between, unanswered


def merge(views: Sequence[Event], told: Collection[tuple[str, str]] = ()) -> list[Event]:
    """Choose what a call comes to.

    ``views`` are the events that its records gave, in any order and as often as they came. ``told`` are the
    (type, status) that were sent of it before. At most one ``answered`` and one end come out, the end last
    but for media events. The best view decides: an answered call was not missed by the phones that rang
    beside. A call that was answered and whose end has not come yet, goes on.
    """
    calls = [view for view in views if view["type"] in CALL_TYPES]
    media = {str(view["id"]): view for view in views if view["type"] not in CALL_TYPES}
    said = {status for _, status in told}
    answers = sorted((view for view in calls if view["subtype"] == "answered"), key=_order)
    ends = [view for view in calls if view["subtype"] in CLOSING]
    merged: list[Event] = []
    if not said & set(CLOSING):
        if answers and "answered" not in said:
            merged.append(answers[0])
        end = _end(ends, answers, bool(answers) or "answered" in said)
        merged += [end] if end else []
    return merged + [media[key] for key in sorted(media)]


def _end(ends: list[Event], answers: list[Event], answered: bool) -> Event | None:
    if answered:
        final = max((end for end in ends if end["subtype"] == "ended"), key=_order, default=None)
        return final and _with_first_taker(final, answers)
    best = min(ends, key=lambda end: (_RANK[str(end["subtype"])], _order(end)), default=None)
    if best is None or best["subtype"] != "ended":
        return best
    # A phone hung up that had not answered: it says no more than that.
    status = unanswered(best["type"] == "incoming_call")
    told = {name: value for name, value in best.items() if name not in TAKEN}
    return told | {"subtype": status, "id": f"{best['thread_id']}/{status}"}


def _with_first_taker(final: Event, answers: list[Event]) -> Event:
    """Give the end the parties of the answer; where another had the call at last, it was transferred."""
    if not answers or answers[0]["to"] == final["to"] or final["type"] != "incoming_call":
        return final
    first = answers[0]
    more: Event = {"transferred_to": final["to"], "talk_seconds": _between(first, final)}
    same = {name: first.get(name) for name in ("to", "to_name", "ring_seconds", *TAKEN)}
    return {name: value for name, value in (final | same | more).items() if value is not None}


def _between(first: Event, last: Event) -> int | None:
    """Count the seconds from one event to another, None where one has no time."""
    times = [str(event.get("timestamp", "")) for event in (first, last)]
    if not all(times):
        return last.get("talk_seconds")  # type: ignore[return-value]  # as its translator counted
    return seconds_between(*map(datetime.fromisoformat, times))


# The status that says most comes first; "ended" without an answer says least.
_WORDS: Final = ("rejected", "busy", "missed", "no_answer", "blocked", "invalid", "not_available", "ended")
_RANK: Final = {status: rank for rank, status in enumerate(_WORDS)}


def _order(event: Event) -> tuple[str, str]:
    """By time; what has the same is told apart by all else, so that no order of arrival decides."""
    return str(event.get("timestamp", "")), json.dumps(event, sort_keys=True)
