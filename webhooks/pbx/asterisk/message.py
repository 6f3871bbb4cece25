"""One message of the manager interface, by its keys."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_UNKNOWN: Final = "<unknown>"  # what Asterisk writes for a number or name that it does not know


class Message:
    """A message's fields. Keys are case-insensitive; of a repeated key the first counts. "" is absent."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields: dict[str, str] = {}
        for key, value in fields:
            self._fields.setdefault(key.lower(), "" if value == _UNKNOWN else value)

    def __getitem__(self, key: str) -> str:
        return self._fields.get(key.lower(), "")

    def number(self, key: str) -> int | None:
        """A field that is a whole number above 0, else None: Asterisk writes 0 for "none"."""
        text = self[key]
        return int(text) if text.isascii() and text.isdigit() and int(text) else None

    def sent_at(self, received_at: datetime) -> datetime:
        """When it was sent, where Asterisk says so (``timestampevents``), else when it came."""
        try:
            return datetime.fromtimestamp(float(self["Timestamp"]), UTC)
        except (ValueError, OverflowError, OSError):
            return received_at
