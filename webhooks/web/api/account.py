"""``GET /api/me``: whom a key speaks for."""

from urllib.parse import urlsplit

from webhooks.services.container import services
from webhooks.settings import VERSION
from webhooks.web.api.keys import new_blueprint, present_key
from webhooks.web.api.operations import operation
from webhooks.web.api.shapes import Shown

blueprint = new_blueprint("account")


class Me(Shown):
    """``account`` names the appliance for people, ``key`` is the key's name."""

    account: str
    key: str
    version: str


@blueprint.get("/me")
@operation(answers={200: Me})
def me() -> Me:
    """Say whom the key speaks for."""
    host = urlsplit(services().settings.base_url).netloc
    return Me(account=f"Spoke Webhooks, {host}", key=present_key().name, version=VERSION)
