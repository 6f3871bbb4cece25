"""What differs between sites: internal numbers, the prefix for a line outside, contexts of trunks."""

import re
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

# FreePBX's names (from-pstn is also its PJSIP trunks' default), then what sites without it use most.
_TRUNK_CONTEXTS: Final = (
    "from-pstn*", "from-trunk*", "from-digital*", "from-analog*", "from-dahdi*", "from-sip-external*",
    "ext-did*", "from-external*", "from-provider*", "from-outside*", "incoming*", "inbound*", "trunk*",
)  # fmt: skip
_CLASSES: Final = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}  # of the dialplan's patterns


class AsteriskOptions(BaseModel):
    """How one Asterisk is read. Every field has a default that suits a FreePBX as it is installed.

    ``source`` names the system: calls of two systems never share a ``thread_id``. ``internal_numbers``
    has lengths (``4``, ``2-6``) and dialplan patterns (``50XX``). ``outgoing_prefixes`` are digits that users
    dial for a line outside. ``trunk_contexts`` may end in ``*``. ``trunks`` are names of endpoints.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "asterisk"
    internal_numbers: tuple[str, ...] = ("2-6",)
    outgoing_prefixes: tuple[str, ...] = ("9",)
    trunks: tuple[str, ...] = ()
    trunk_contexts: tuple[str, ...] = Field(default=_TRUNK_CONTEXTS)
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

    def is_trunk_context(self, context: str) -> bool:
        """Tell whether calls in this context come from outside."""
        return any(fnmatchcase(context, pattern) for pattern in self.trunk_contexts)

    def without_prefix(self, dialled: str, sent: str) -> str:
        """Return a dialled number without the digit for a line outside.

        It is taken off only where the number that went to the trunk, ``sent``, shows that it was one.
        """
        digits = re.sub(r"\D", "", sent)
        for prefix in self.outgoing_prefixes:
            rest = dialled.removeprefix(prefix)
            # 911 goes out as 911: it begins with the digit, and has none before it
            if "" != rest != dialled and digits.endswith(rest) and not digits.endswith(dialled):
                return sent if sent.startswith("+") else rest
        return dialled

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
