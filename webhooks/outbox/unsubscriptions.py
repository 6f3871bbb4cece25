"""SQL of what Zapier is to be told: a Zap's webhook was ended here, by a person or by five days of failures.

A row is asked for in the transaction that ends the webhook, and gone once it is settled.
"""

from typing import Final

from webhooks.db.raw import Connection, run
from webhooks.db.store import now_ms

_ASK: Final = """
    INSERT INTO unsubscription (webhook_id, url, tries, created_at, due_at)
    SELECT id, url, 0, :now, :now FROM webhook WHERE integration = 'zapier' AND
"""
_ASK_ONE: Final = f"{_ASK} id = :webhook_id"
_ASK_ALL: Final = f"{_ASK} location_id = :location_id AND deleted_at IS NULL"


def ask(connection: Connection, webhook_id: int) -> None:
    """Have a webhook's subscriber told that it has ended, if it is one of Zapier's."""
    run(connection, _ASK_ONE, {"webhook_id": webhook_id, "now": now_ms()})


def ask_all(connection: Connection, location_id: int) -> None:
    """Have Zapier told of all webhooks that it has at a location, before they are deleted."""
    run(connection, _ASK_ALL, {"location_id": location_id, "now": now_ms()})
