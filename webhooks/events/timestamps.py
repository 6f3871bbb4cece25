"""Times of events: ISO 8601 stays as it came, seconds since 1970 become ISO 8601."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

_ISO_8601: Final = re.compile(
    r"\d{4}(?:-\d\d-\d\d|\d{4})"
    r"(?:[Tt ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_SECONDS: Final = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def written(moment: datetime) -> str:
    """Write a time, which is UTC, as ISO 8601."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_time(value: str | int | float) -> str:
    """Return a time as ISO 8601. Text that is ISO 8601 stays as it is.

    Raises:
        ValueError: neither ISO 8601 nor seconds from 1970 to 9999.
    """
    if isinstance(value, str) and (parts := _ISO_8601.fullmatch(value)):  # Python takes more than that
        _check_iso(value, parts)
        return value
    # Through decimals: a number's text has an exponent at times, and a product of doubles loses the digits.
    text = value if isinstance(value, str) else format(Decimal(repr(value)), "f")
    seconds = _SECONDS.fullmatch(text)
    if not seconds:
        raise ValueError("neither ISO 8601 nor seconds")
    try:
        micro = int((seconds[2] or "")[:6].ljust(6, "0"))
        return written(_EPOCH + timedelta(seconds=int(seconds[1]), microseconds=micro))
    except OverflowError as error:
        raise ValueError("beyond the year 9999") from error


def _check_iso(text: str, parts: re.Match[str]) -> None:
    """Raise ValueError for no date or time. The standard has 24:00:00 and leap seconds, Python has not."""
    if parts["second"] == "60":
        text = f"{text[: parts.start('second')]}59{text[parts.end('second') :]}"
    behind = "".join(parts[part] or "" for part in ("minute", "second", "fraction"))
    if parts["hour"] == "24" and not behind.strip("0"):
        text = f"{text[: parts.start('hour')]}00{text[parts.end('hour') :]}"
    datetime.fromisoformat(text.upper())
