"""Our events beside those of cacofonisk, on its own recordings: where the two differ, who is right."""

import gzip
import json
from pathlib import Path
from typing import Final

import pytest
from pbx.replaying import Event, messages, old_recordings, options, translate

from webhooks.pbx.asterisk import Translator

cacofonisk = pytest.importorskip("cacofonisk", reason="cacofonisk is not installed")

_RECORDINGS: Final = dict(old_recordings())
_CLOSING: Final = {
    "completed": {"ended"},
    "busy": {"busy"},
    "no-answer": {"missed", "no_answer"},
    "cancelled": {"missed", "no_answer"},
}
# What cacofonisk says of the whole recording, where it differs, and why we say something else.
_DIFFERENCES: Final = {
    # The phone of the one who clicked said busy. cacofonisk tells nothing, because nobody was called yet; who
    # clicked wants to know why there is no call.
    "originate/ctd-account-world-deny-a": (False, []),
    # The caller left a queue that nobody answered. cacofonisk goes by the caller's channel, which was up.
    "queue/queue_a_cancel": (False, ["completed"]),
    # A talked with B, handed him on to C, who was busy. cacofonisk ends it as busy; it had been answered.
    "xfer_blonde/xfer_blonde_reject": (True, ["busy"]),
}


def _theirs(path: Path) -> tuple[bool, list[str]]:
    """Whether anybody answered, and how each call ended, by cacofonisk."""

    class Reporter(cacofonisk.BaseReporter):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.is_answered = False
            self.reasons: list[str] = []

        def on_up(self, caller: object, target: object) -> None:
            self.is_answered = True

        def on_hangup(self, caller: object, reason: str) -> None:
            self.reasons.append(reason)

    reporter = Reporter()
    handler = cacofonisk.EventHandler(reporter=reporter)
    for event in json.loads(gzip.decompress(path.read_bytes())):
        if event["Event"] in handler.event_handlers():
            handler.on_event(event)
    return reporter.is_answered, reporter.reasons


def _ours(path: Path) -> tuple[bool, list[str]]:
    """The same by us. cacofonisk counts a consultation as part of the call that it was about."""
    events = translate(Translator(options(path)), messages(path))
    order = {event["thread_id"]: number for number, event in reversed([*enumerate(events)])}

    def is_part_of_another(event: Event) -> bool:
        return order.get(event.get("related_thread_id"), len(events)) < order[event["thread_id"]]

    own = [event for event in events if event["sequence"] == 3 and not is_part_of_another(event)]
    return any(event["subtype"] == "answered" for event in events), [str(event["subtype"]) for event in own]


@pytest.mark.parametrize("name", _RECORDINGS)
def test_we_say_what_cacofonisk_says_or_know_why_not(name: str) -> None:
    theirs, (is_answered, closings) = _theirs(_RECORDINGS[name]), _ours(_RECORDINGS[name])
    agree = theirs[0] == is_answered and len(theirs[1]) == len(closings)
    agree = agree and all(ours in _CLOSING[reason] for reason, ours in zip(theirs[1], closings, strict=True))
    assert agree == (name not in _DIFFERENCES), (theirs, closings)
    assert theirs == _DIFFERENCES.get(name, theirs)
