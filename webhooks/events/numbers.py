"""Phone numbers as people look for them: by their end, however they are written."""

import json
import re
from typing import Final

_LONGEST: Final = 40


def number_key(text: str) -> str | None:
    """What a number is found by: its digits (or a name's letters, small), written backwards.

    "+1 (920) 383-3100", "sip:19203833100@pbx" and "19203833100" are one. None if nothing is left.
    """
    name = (
        text.strip().lower().removeprefix("sips:").removeprefix("sip:").removeprefix("tel:").partition("@")[0]
    )
    digits = re.sub(r"[^0-9]", "", name)
    letters = re.search(r"[^\W\d_]", name)
    key = re.sub(r"\s|[\0]", "", name) if letters else digits
    return key[::-1][:_LONGEST] or None


def numbers_of(body: str) -> set[str]:
    """The keys of an event's ``from`` and ``to``. ``body`` is the event's JSON text."""
    fields = json.loads(body)
    keys = {number_key(value) for name in ("from", "to") if isinstance(value := fields.get(name), str)}
    return {key for key in keys if key}
