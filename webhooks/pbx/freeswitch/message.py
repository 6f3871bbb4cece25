"""One message of the event socket, by its headers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = ("", "0")
_MOST_US: Final = 253_402_300_799_000_000  # the year 9999


class Message:
    """A message's headers. Names are as FreeSWITCH writes them; "" is absent."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> str:
        return self._fields.get(name, "")

    def first(self, *names: str) -> str:
        """The first header of these that says something."""
        return next((self[name] for name in names if self[name]), "")

    def happened(self, name: str) -> bool:
        """Whether a time in microseconds is told that is not 0, which is never."""
        return self[name] not in _NEVER

    def number(self, name: str) -> int | None:
        """A header that is a whole number above 0, else None."""
        text = self[name]
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) else None

    def sent_at(self, received_at: datetime) -> datetime:
        """When it was sent: microseconds since 1970. When it came, where that cannot be read."""
        text = self["Event-Date-Timestamp"]
        if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) > _MOST_US:
            return received_at
        return _EPOCH + timedelta(microseconds=int(text))
