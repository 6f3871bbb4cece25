"""What differs between sites of FreeSWITCH: internal numbers, and what leads outside."""

from fnmatch import fnmatchcase
from typing import Final

from pydantic import Field

from webhooks.pbx.site_numbers import SiteNumbers

# Vanilla FreeSWITCH and FusionPBX have calls from outside in "public".
_TRUNK_CONTEXTS: Final = ("public", "from-*", "inbound*", "incoming*", "external*")
_TRUNKS: Final = ("external*",)  # the SIP profile that vanilla FreeSWITCH and FusionPBX have for gateways


class FreeswitchOptions(SiteNumbers):
    """How one FreeSWITCH is read. Every field has a default that suits it as it is installed.

    ``trunks`` are names of SIP profiles that lead outside, beside ``external``; what has a gateway does so
    anyhow. ``trunk_contexts`` are the dialplan's contexts of calls from outside. Both may end in ``*``.
    """

    source: str = "freeswitch"
    trunks: tuple[str, ...] = ()
    trunk_contexts: tuple[str, ...] = Field(default=_TRUNK_CONTEXTS)

    def is_trunk(self, profile: str) -> bool:
        """Tell whether a SIP profile leads outside."""
        return any(fnmatchcase(profile, pattern) for pattern in (*self.trunks, *_TRUNKS))

    def is_trunk_context(self, context: str) -> bool:
        """Tell whether calls in this context come from outside."""
        return any(fnmatchcase(context, pattern) for pattern in self.trunk_contexts)
