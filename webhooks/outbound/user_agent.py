"""The appliance's name for receivers. By the prefix it knows its own requests when they come back."""

from typing import Final

from webhooks.settings import VERSION

USER_AGENT_PREFIX: Final = "Spoke-Webhooks/"
USER_AGENT: Final = f"{USER_AGENT_PREFIX}{VERSION}"
