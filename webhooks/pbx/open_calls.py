"""Which messages of a stream belong to calls that are not over: what a restart has to read once more.

Ids that stand in one message belong together; a group of ids is over once each channel that began in it has
hung up.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from webhooks.pbx.live import Marks

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


class OpenCalls:
    """Follows channels from their first message to their hang-up. Times are seconds since 1970.

    ``marks`` reads a message of the phone system. It is true while any call is open.
    """

    def __init__(self, marks: Callable[[bytes], Marks]) -> None:
        self.marks = marks
        self._groups: dict[bytes, Group] = {}
        self._ending: list[Group] = []

    def add(self, raw: bytes, at_s: float) -> Group | None:
        """Take a message as it came. Returns its group, None where it names no channel."""
        marks = self.marks(raw)
        if not marks.ids:
            return None
        group = self._group(marks.ids)
        if marks.own and marks.begins:
            group.live.add(marks.own)
            group.over_at = None
        elif marks.own and marks.ends:
            group.live.discard(marks.own)
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

    def _group(self, ids: Sequence[bytes]) -> Group:
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
