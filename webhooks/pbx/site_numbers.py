"""What all phone systems' options have: a site's own numbers, and whether calls between them are told."""

import re
from functools import cached_property
from typing import Final

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

_CLASSES: Final = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}  # of the dialplan's patterns


class SiteNumbers(BaseModel):
    """``source`` names the system: calls of two systems never share a ``thread_id``.

    ``internal_numbers`` has lengths (``4``, ``2-6``) and dialplan patterns (``50XX``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    internal_numbers: tuple[str, ...] = ("2-6",)
    internal_calls: bool = False

    @field_validator("internal_numbers")
    @classmethod
    def _readable(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            if _expression(rule) is None:
                raise PydanticCustomError(
                    "internal_numbers",
                    "has {rule}, which is neither a length such as 4 or 2-6 nor a pattern such as 50XX",
                    {"rule": repr(rule)},
                )
        return rules

    def is_internal(self, number: str) -> bool:
        """Tell whether a number is one of the site's own: an extension, a group, a queue."""
        return bool(self._internal.fullmatch(number))

    @cached_property
    def _internal(self) -> re.Pattern[str]:
        return re.compile("|".join(filter(None, map(_expression, self.internal_numbers))) or "(?!)")


def _expression(rule: str) -> str | None:
    """Return a length or a pattern as a regular expression, None where it is neither."""
    rule = rule.strip().upper()
    if length := re.fullmatch(r"([1-9]|1[0-5])(?:-([1-9]|1[0-5]))?", rule):
        least, most = int(length[1]), int(length[2] or length[1])
        return f"[0-9]{{{least},{most}}}" if least <= most else None
    if re.fullmatch(r"_[0-9XZN]{2,15}|[0-9XZN]{3,15}|[0-9]?[XZN][0-9]?", rule):
        return "".join(_CLASSES.get(letter, letter) for letter in rule.removeprefix("_"))
    return None
