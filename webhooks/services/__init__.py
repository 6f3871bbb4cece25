"""Locations, webhooks and API keys: add, change, pause, delete. Pages, API and commands call here."""

from webhooks.db.store import Store
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.resolver import Resolver
from webhooks.services.api_keys import Keys
from webhooks.services.locations import Locations
from webhooks.services.webhooks import Webhooks
from webhooks.settings import Settings
from webhooks.tokens import token_hash

__all__ = ["Registry", "token_hash"]


class Registry(Locations, Webhooks, Keys):
    """All changes of configuration; each is one transaction and holds at once in every process.

    Every method raises NotFound for an unknown name or id, Conflict where the state forbids the change,
    Invalid for a value that cannot be taken, Busy if the database cannot take the write.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._rules = AddressRules(settings.allow_nets, settings.deny_nets)
        self._resolver = Resolver()
