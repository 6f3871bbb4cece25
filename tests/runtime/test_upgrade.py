"""An upgraded database means what it meant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from appliance import ROOT

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, MEDIA_TYPES
from webhooks.db.store import Store
from webhooks.events.routing import RoutingTable
from webhooks.keyring import secret_key
from webhooks.runtime.startup import prepare
from webhooks.settings import Settings

EVENTS = [
    *((type_, status) for type_ in CALL_TYPES for status in CALL_STATUSES),
    *((m, "") for m in MEDIA_TYPES),
]
# Type and status of a webhook as they were kept when it had one of each, None for any.
CALL_FILTERS = [(type_, status) for type_ in (None, *CALL_TYPES) for status in (None, *CALL_STATUSES)]
MEDIA_FILTERS = [(type_, None) for type_ in (None, *MEDIA_TYPES)]
LOCATION = "INSERT INTO location (id, name, token_hash, state, created_at) VALUES (1, 'O', ?, 'active', 0)"
WEBHOOK = """
    INSERT INTO webhook (id, location_id, kind, type, status, url, description, state, secret, options,
                         version, created_at)
    VALUES (?, 1, ?, ?, ?, 'http://10.0.0.1/', '', 'active', 'whsec_', '{}', 1, 0)
"""


def before(revision: str, settings: Settings, store: Store, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Make the database as it was before a migration, with these rows."""
    secret_key(settings)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "webhooks" / "db" / "migrations"))
    former = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    with store.engine.connect() as connection:
        if store.sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql("BEGIN")
        config.attributes |= {"connection": connection, "vault": store.vault}
        command.upgrade(config, str(former))
        for sql, values in statements:
            connection.exec_driver_sql(sql if store.sqlite else sql.replace("?", "%s"), values)
        connection.commit()


def test_webhooks_of_one_type_and_status_get_what_they_got(
    tmp_path: Path, database: Callable[..., dict[str, Any]]
) -> None:
    settings = Settings(data_dir=tmp_path, admin_password="unused here", **database(bare=True))
    store = Store(settings)
    kept = [("call", *one) for one in CALL_FILTERS] + [("media", *one) for one in MEDIA_FILTERS]
    rows = [(LOCATION, (b"t",)), *((WEBHOOK, (id_, *filter_)) for id_, filter_ in enumerate(kept, 1))]
    before("0014", settings, store, *rows)
    prepare(settings, store)
    with store.direct_read() as direct:
        routing = RoutingTable.read(direct, 1)
    store.engine.dispose()
    assert routing.location(b"t") == 1
    got = {
        one.webhook_id: {event for event in EVENTS if one.filter.matches(*event)}
        for one in routing.subscriptions[1]
    }
    assert got == {
        id_: {
            (event, subtype)
            for event, subtype in EVENTS
            if (kind == "call") == (subtype != "") and type_ in (None, event) and status in (None, subtype)
        }
        for id_, (kind, type_, status) in enumerate(kept, 1)
    }
