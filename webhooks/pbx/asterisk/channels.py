"""Asterisk's channels as a graph: who dialled whom, and which halves of Local channels belong together.

A Local channel is two halves, ``;1`` and ``;2``: what dials ``;1`` reaches what ``;2`` dials. So the phone
that a caller reached may lie several pairs down, and the caller of a phone several pairs up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from webhooks.pbx.calls import Party

_NAME: Final = re.compile(r"(?P<tech>[^/]+)/(?P<endpoint>.+?)(?:-[0-9a-f]{8,})?(?:;(?P<half>[12]))?")
_ZOMBIE: Final = re.compile(r"<.*>$")  # Asterisk's mark on a channel that was replaced
_DEPTH: Final = 20  # pairs; a circle of Local channels must not hang us


@dataclass(slots=True, eq=False)
class Channel:
    """A channel by its Uniqueid. ``number`` and ``caller_name`` are what it was created with.

    ``leg_outcome`` is the DialStatus of its first DialEnd, which counts; later ones repeat or contradict it.
    ``bridge`` is where it talks. ``adopted``: it was there before we listened, and
    ``met_in_talk`` was answered by then, perhaps by a menu. ``unseen``: it is named by others,
    its creation is yet to come. ``connection``: the one on which it was last heard of.
    """

    uid: str
    name: str
    linkedid: str
    context: str = ""
    exten: str = ""
    number: str = ""
    caller_name: str = ""
    dialled_by: "Channel | None" = None
    partner: "Channel | None" = None
    answers: list["Channel"] = field(default_factory=list)
    leg_outcome: str = ""
    forwarded: bool = False
    rang: bool = False
    originated: bool = False
    adopted: bool = False
    met_in_talk: bool = False
    unseen: bool = False
    bridge: str = ""
    gone: bool = False
    party: Party = field(default_factory=Party)
    connection: int = 0

    @property
    def is_local(self) -> bool:
        """Whether it is half of a Local channel, which is nobody's phone."""
        return self.name.startswith("Local/")

    @property
    def endpoint(self) -> str:
        """``5010`` of ``PJSIP/5010-00000001``; "" where the name has another form."""
        match = _NAME.fullmatch(_ZOMBIE.sub("", self.name))
        return match["endpoint"] if match else ""

    def reached(self) -> "Channel | None":
        """The real channel that answers here: this one, or the one that answered behind its Local pair."""
        return next(_down(self, _DEPTH), None)

    def dialler(self) -> "Channel":
        """The channel at the top: up each dial, and from ``;2`` over to the ``;1`` that was dialled."""
        channel = self
        for _ in range(_DEPTH):
            above = channel.dialled_by
            if above is None:
                return channel
            channel = above
            if channel.is_local and channel.partner and channel.partner.dialled_by:
                channel = channel.partner
        return channel


def _down(channel: Channel, depth: int) -> Iterator[Channel]:
    if not channel.is_local:
        yield channel
    elif channel.partner is not None and depth:
        for answered in channel.partner.answers:
            yield from _down(answered, depth - 1)


def pair_name(name: str) -> str:
    """The name of a Local channel's other half."""
    return name[:-1] + ("2" if name.endswith("1") else "1")
