"""SQL of what Zapier is to be told: a Zap's webhook was ended here, by a person or by five days of failures.

A row is asked for in the transaction that ends the webhook, and gone once it is settled.
"""

from typing import Final

from webhooks.db.raw import Connection, run
from webhooks.db.store import now_ms

_ASK: Final = """
    INSERT INTO unsubscription (webhook_id, url, tries, created_at, due_at)
    SELECT id, url, 0, :now, :now FROM webhook WHERE id = :webhook_id AND integration = 'zapier'
"""


def ask(connection: Connection, webhook_id: int) -> None:
    """Have a webhook's subscriber told that it has ended, if it is one of Zapier's."""
    run(connection, _ASK, {"webhook_id": webhook_id, "now": now_ms()})
