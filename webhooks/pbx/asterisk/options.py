"""What differs between sites: internal numbers, the prefix for a line outside, contexts of trunks."""

import re
from fnmatch import fnmatchcase
from typing import Final

from pydantic import Field

from webhooks.pbx.site_numbers import SiteNumbers

# FreePBX's names (from-pstn is also its PJSIP trunks' default), then what sites without it use most.
_TRUNK_CONTEXTS: Final = (
    "from-pstn*", "from-trunk*", "from-digital*", "from-analog*", "from-dahdi*", "from-sip-external*",
    "ext-did*", "from-external*", "from-provider*", "from-outside*", "incoming*", "inbound*", "trunk*",
)  # fmt: skip


class AsteriskOptions(SiteNumbers):
    """How one Asterisk is read. Every field has a default that suits a FreePBX as it is installed.

    ``outgoing_prefixes`` are digits that users dial for a line outside. ``trunk_contexts`` may end in ``*``.
    ``trunks`` are names of endpoints.
    """

    source: str = "asterisk"
    outgoing_prefixes: tuple[str, ...] = ("9",)
    trunks: tuple[str, ...] = ()
    trunk_contexts: tuple[str, ...] = Field(default=_TRUNK_CONTEXTS)

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
