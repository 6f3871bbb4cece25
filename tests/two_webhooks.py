"""An outbox of two webhooks, 1 and 2, in a SQLite file, without an appliance."""

from pathlib import Path
from typing import Final

from webhooks.db.models import Delivery
from webhooks.db.store import Store
from webhooks.settings import Settings

_WEBHOOK: Final = """
    INSERT INTO webhook (id, location_id, kind, url, description, secret, options, state, version, created_at)
    VALUES (:id, 1, 'call', 'http://receiver.example/', '', 'whsec_x', '{}', 'active', 1, 0)
"""
_DELIVERY: Final = """
    INSERT INTO delivery (event_id, webhook_id, thread_key, type, subtype, state, due_at, claims, tries,
                          attempts, created_at)
    VALUES (1, :webhook_id, 'call', 'incoming_call', 'ringing', 'pending', :due, 0, 0, 0, 0)
"""


class TwoWebhooks:
    """``write`` is what another process commits."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder)
        self.theirs = Store(self.settings)
        Delivery.metadata.create_all(self.theirs.engine)
        for id_ in (1, 2):
            self.write(_WEBHOOK, id=id_)
            self.write(
                "INSERT INTO lane (webhook_id, failures, broken, not_before) VALUES (:id, 0, 0, 0)", id=id_
            )

    def write(self, sql: str, **parameters: object) -> None:
        with self.theirs.direct_read() as direct:  # which commits at once
            direct.run("PRAGMA foreign_keys = OFF")
            direct.run(sql, parameters)

    def deliver(self, webhook_id: int, due_ms: int = 1) -> None:
        self.write(_DELIVERY, webhook_id=webhook_id, due=due_ms)
