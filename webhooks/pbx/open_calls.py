"""Which messages of a stream belong to calls that are not over: what a restart has to read once more.

A message names channels by keys that end in ``Uniqueid`` or ``Linkedid``. Ids that stand in one message
belong together; a group of ids is over once each channel that began in it has hung up.
"""

import dataclasses
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_IDS: Final = re.compile(rb"(?:Uniqueid|Linkedid): ([^\r\n]+)")
_OWN_ID: Final = re.compile(rb"\nUniqueid: ([^\r\n]+)")
_LINGER_S: Final = 5.0  # a closing status may wait for a message that comes after the last hang-up


@dataclass(eq=False, slots=True)
class Group:
    """Ids that belong together. ``into``: the group that took it in; ``over_at``: see ``OpenCalls.over``."""

    live: set[bytes] = dataclasses.field(default_factory=set)
    ids: set[bytes] = dataclasses.field(default_factory=set)
    over_at: float | None = None
    into: "Group | None" = None

    def root(self) -> "Group":
        """Return the group that this one is part of now."""
        group = self
        while group.into is not None:
            group = group.into
        return group


def own_id(raw: bytes) -> bytes:
    """Return the channel that a message is about, b"" where it is about none."""
    found = _OWN_ID.search(raw)
    return found[1] if found else b""


class OpenCalls:
    """Follows channels from their first message to their hang-up. Times are seconds since 1970.

    It is true while any call is open.
    """

    def __init__(self) -> None:
        self._groups: dict[bytes, Group] = {}
        self._ending: list[Group] = []

    def add(self, raw: bytes, at_s: float) -> Group | None:
        """Take a message as it came. Returns its group, None where it names no channel."""
        ids = _IDS.findall(raw)
        if not ids:
            return None
        group = self._group(ids)
        own = own_id(raw)
        if own and raw.startswith((b"Event: Newchannel\r", b"Event: CoreShowChannel\r")):
            group.live.add(own)
            group.over_at = None
        elif own and raw.startswith(b"Event: Hangup\r"):
            group.live.discard(own)
        if not group.live and group.over_at is None:
            group.over_at = at_s
            self._ending.append(group)
        return group

    def keep_only(self, channels: Collection[bytes], at_s: float) -> None:
        """End the channels that the phone system did not list: their hang-up was not heard."""
        for group in {group.root() for group in self._groups.values()}:
            group.live.intersection_update(channels)
            if not group.live and group.over_at is None:
                group.over_at = at_s
                self._ending.append(group)

    def over(self, now_s: float) -> None:
        """Forget the groups that have been over for a while."""
        waiting = []
        for group in self._ending:
            if group.into is not None or group.over_at is None:
                continue
            if now_s - group.over_at < _LINGER_S:
                waiting.append(group)
                continue
            for id_ in group.ids:
                self._groups.pop(id_, None)
            group.ids.clear()
        self._ending = waiting

    def __bool__(self) -> bool:
        return bool(self._groups)

    def is_open(self, group: Group) -> bool:
        """Whether a message of this group has to be kept."""
        return bool(group.root().ids)

    def _group(self, ids: list[bytes]) -> Group:
        found: Group | None = None
        for id_ in ids:
            group = self._groups.get(id_)
            group = group and group.root()
            if group is None or group is found:
                continue
            found = group if found is None else _joined(found, group)
        if found is None:
            found = Group()
        for id_ in ids:
            found.ids.add(id_)
            self._groups[id_] = found
        return found


def _joined(one: Group, other: Group) -> Group:
    if len(other.ids) > len(one.ids):
        one, other = other, one
    one.live |= other.live
    one.ids |= other.ids
    one.over_at = None
    other.into = one
    return one
