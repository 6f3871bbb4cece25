"""Phone numbers in the form that all systems read (E.164), by the country that a location names."""

import re
from typing import Final

from webhooks.pbx.finished import Event

_NUMBER: Final = re.compile(r"\+?[0-9 ()./-]{5,30}")  # what is shorter is an extension, or 112
_ENDS: Final = ("from", "to")


def is_country(code: str) -> bool:
    """Whether numbers of this country (ISO 3166, two capital letters) can be read."""
    # Loaded only where a location has a country: it takes a twentieth of a second of each start.
    from phonenumbers import SUPPORTED_REGIONS

    return code in SUPPORTED_REGIONS


def with_numbers(event: Event, country: str) -> Event:
    """Write an event's numbers in E.164.

    ``from`` and ``to`` become ``+493012345678``; ``from_raw`` and ``to_raw`` are what came, and
    ``from_national`` and ``to_national`` how people of the number's country write it. What is no valid number
    of ``country``, nor one that names its own, stays as it came: extensions, names, short codes. Without a
    country the event stays as it is.
    """
    if not country:
        return event
    changed: Event = {}
    more: Event = {}
    for end in _ENDS:
        given = event.get(end)
        read = _read(given, country) if isinstance(given, str) else None
        if read is not None:
            changed[end], more[f"{end}_national"] = read
            more[f"{end}_raw"] = given
    return {**event, **changed, **{name: value for name, value in more.items() if name not in event}}


def _read(text: str, country: str) -> tuple[str, str] | None:
    """Return a number as E.164 and in its national form, or None for what is no number."""
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

    if not _NUMBER.fullmatch(text):
        return None
    try:
        number = parse(text, country)
    except NumberParseException:
        return None
    if not is_valid_number(number):
        return None
    return (
        format_number(number, PhoneNumberFormat.E164),
        format_number(number, PhoneNumberFormat.NATIONAL),
    )
