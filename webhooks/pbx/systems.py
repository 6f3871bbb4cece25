"""The phone systems with doors of their own, and those we listen to: which events each can tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES

_STATUSES: Final = tuple(CALL_STATUSES)
Kind = tuple[str, str]  # type and subtype


@dataclass(frozen=True)
class System:
    """A phone system as the pages show it.

    ``kinds`` are the events that it can tell, out of two types with ten statuses each; ``media`` the media
    types. ``live``: it tells of a call while that is going on, not only after its end.
    """

    name: str
    title: str
    live: bool
    kinds: frozenset[Kind]
    media: tuple[str, ...] = ()

    def tells(self, type_: str, status: str) -> bool:
        """Whether it can tell of such an event."""
        return (type_, status) in self.kinds


def _kinds(incoming: str, outgoing: str) -> frozenset[Kind]:
    words = dict(zip(CALL_TYPES, (incoming, outgoing), strict=True))
    return frozenset((type_, status) for type_, statuses in words.items() for status in statuses.split())


_ALL: Final = " ".join(_STATUSES)
_LIVE: Final = _kinds(_ALL.replace("no_answer ", ""), _ALL.replace("missed ", ""))
_FREESWITCH: Final = "answered ended busy rejected blocked invalid not_available"

SYSTEMS: Final[Mapping[str, System]] = {
    system.name: system
    for system in (
        System("3cx", "3CX", False, _kinds("answered ended missed", "answered ended no_answer")),
        System(
            "yeastar",
            "Yeastar P-Series",
            True,
            _kinds(
                "ringing answered ended missed busy not_available",
                "ringing answered ended no_answer busy not_available",
            ),
            ("voicemail", "call_recording"),
        ),
        System(
            "grandstream",
            "Grandstream UCM",
            False,
            _kinds("answered ended missed busy not_available", "answered ended no_answer busy not_available"),
            ("voicemail", "call_recording"),
        ),
        System(
            "freeswitch",
            "FreeSWITCH",
            False,
            _kinds(f"{_FREESWITCH} missed", f"{_FREESWITCH} no_answer"),
            ("voicemail", "call_recording"),
        ),
        System(
            "phones",
            "Desk phones",
            True,
            _kinds("ringing answered ended missed rejected", "ringing answered ended no_answer"),
        ),
        System(
            "dialplan",
            "Asterisk dialplan",
            True,
            _LIVE,
        ),
    )
}

# What FreeSWITCH tells by its event socket, other than by the records that it posts.
FREESWITCH_LIVE: Final = System("freeswitch", "FreeSWITCH", True, _LIVE, ("voicemail", "call_recording"))
