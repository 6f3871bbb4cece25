"""A channel of FreeSWITCH, and who is at its other end."""

from dataclasses import dataclass, field
from typing import Final

from webhooks.pbx.calls import Party

_DEPTH: Final = 8  # loopback pairs behind one another


@dataclass(slots=True, eq=False)
class Channel:
    """One leg. ``above`` is the leg for which it was dialled, ``pair`` a loopback channel's other half.

    ``partner`` is what it is bridged with. ``unseen``: others name it, its own messages are yet to come.
    ``adopted``: it was found in mid-call. ``connection``: the one on which it was last heard of. ``is_user``:
    it logged in, as phones do.
    """

    uid: str
    name: str = ""
    outbound: bool = False
    number: str = ""
    caller_name: str = ""
    dialled: str = ""
    context: str = ""
    above: "Channel | None" = None
    pair: "Channel | None" = None
    partner: "Channel | None" = None
    party: Party = field(default_factory=Party)
    is_user: bool = False
    gateway: str = ""
    told_direction: str = ""
    answered: bool = False
    rang: bool = False
    gone: bool = False
    unseen: bool = True
    adopted: bool = False
    connection: int = 0

    @property
    def is_loopback(self) -> bool:
        """Whether it is half of a loopback pair, which is nobody's phone."""
        return self.name.startswith("loopback/")

    @property
    def profile(self) -> str:
        """``internal`` of ``sofia/internal/1001@host``; "" where the name has another form."""
        parts = self.name.split("/")
        return parts[1] if len(parts) > 2 and parts[0] == "sofia" else ""

    def join(self, other: "Channel") -> None:
        """Note that it is bridged with another one."""
        for one, two in ((self, other), (other, self)):
            if one.partner not in (None, two):
                one.leave()
            one.partner = two

    def leave(self) -> None:
        """Note that its bridge is over."""
        if self.partner is not None and self.partner.partner is self:
            self.partner.partner = None
        self.partner = None

    def top(self) -> "Channel":
        """The channel that it all was dialled for: up each dial, and over each loopback pair."""
        channel = self
        for _ in range(_DEPTH):
            inner = channel.pair if channel.is_loopback and channel.name.endswith("-b") else None
            above = channel.above or inner
            if above is None:
                break
            channel = above
        return channel

    def reached(self) -> "Channel | None":
        """The real channel at the other end, however many loopback pairs lie between. None: there is none."""
        channel: Channel | None = self
        for _ in range(_DEPTH):
            channel = channel.partner if channel else None
            if channel is None or not channel.is_loopback:
                return channel
            channel = channel.pair
        return None
