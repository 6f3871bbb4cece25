"""``Retry-After``: how long a receiver asks to be left alone. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

MAX_S: Final = 86_400.0
_STATUSES: Final = (429, 503)
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_DATE: Final = re.compile(
    r"[A-Z][a-z]{2,8},? [A-Za-z0-9: -]{8,50}"
)  # the three forms of RFC 9110, section 5.6.7


def retry_after_s(status: int, values: Sequence[str], now: datetime | None = None) -> float | None:
    """Seconds to wait (RFC 9110, section 10.2.3), at most a day.

    None where the status gives the header no meaning, and for nonsense: a negative number, a date that is
    over or out of range, several values that differ.
    """
    distinct = {value.strip(" \t") for value in values}
    if status not in _STATUSES or len(distinct) != 1:
        return None
    value = distinct.pop()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_S)
    if not _DATE.fullmatch(value):
        return None
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_S) if seconds > 0 else None
