"""Which webhooks an event is for. Pure: no database, no clock."""

from dataclasses import dataclass

from webhooks.catalogue import CALL_TYPES


@dataclass(frozen=True, slots=True)
class Filter:
    """A webhook's choice. ``type`` or ``status`` of None means any; ``kind`` is "call" or "media"."""

    kind: str
    type: str | None
    status: str | None

    def matches(self, type_: str, subtype: str) -> bool:
        """Whether an event of this type and subtype ("" for media) is for the webhook."""
        if self.kind != ("call" if type_ in CALL_TYPES else "media"):
            return False
        return self.type in (None, type_) and (self.kind == "media" or self.status in (None, subtype))
