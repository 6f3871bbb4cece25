"""What the database keeps of secrets: a copy of it is no copy of them, and a lost key stops nothing."""

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from appliance import ROOT, Appliance, Visitor, eventually
from receiver import Receiver
from standardwebhooks import Webhook as Verifier

from webhooks.db.models import ZohoAccount
from webhooks.db.store import Store, db
from webhooks.errors import SecretLost
from webhooks.keyring import Key, secret_key
from webhooks.runtime.startup import prepare
from webhooks.services.secret_key import rotate_secret_key
from webhooks.settings import Settings
from webhooks.vault import Vault, is_sealed

SESAME = "sesame-4711-open"


def kept(store: Store) -> str:
    """All that the tables hold, and on SQLite its files byte by byte."""
    with store.engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()  # an old schema has not all that the models have
        tables = [connection.execute(sa.text(f'SELECT * FROM "{name}"')).all() for name in names]
        held = repr(tables)
        if store.sqlite:
            path = Path(str(store.engine.url.database))
            files = list(path.parent.glob(f"{path.name}*"))
            # In a process of its own: closing them in this one would drop SQLite's locks.
            held += subprocess.run(["cat", *files], capture_output=True, check=True).stdout.decode("latin-1")
    return held


def at_0004(settings: Settings, store: Store) -> None:
    """The schema before secrets were sealed, with a webhook, an event and a message in a test inbox."""
    secret_key(settings)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "webhooks" / "db" / "migrations"))
    with store.engine.connect() as connection:
        if store.sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql("BEGIN")
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        options = json.dumps({"rate": 5, "headers": {"X-Key": SESAME}})
        for statement in (
            "INSERT INTO location (id, name, token_hash, state, created_at) "
            "VALUES (1, 'O', 'x', 'active', 0)",
            "INSERT INTO webhook (id, location_id, kind, url, description, state, secret, previous_secret, "
            "options, version, created_at) VALUES (1, 1, 'call', 'http://10.0.0.1/', '', 'active', "
            f"'whsec_present', 'whsec_former', '{options}', 1, 0), (2, 1, 'call', 'http://10.0.0.1/', '', "
            "'active', 'whsec_other', NULL, '{}', 1, 0)",
            "INSERT INTO inbox (id, name, status, delay_ms, created_at) VALUES ('i', 'I', 200, 0, 0)",
            "INSERT INTO inbox_message (id, inbox_id, at, sender, headers, body, size, answered, verdict) "
            f"""VALUES (1, 'i', 0, '', '[["X-Key", "{SESAME}"]]', '', 0, 200, '')""",
            "INSERT INTO event_number (number, event_id) VALUES ('>0105<anna', 7)",
            "UPDATE meta SET value = '7' WHERE key = 'digested_event'",
        ):
            connection.exec_driver_sql(statement)
        connection.commit()
    assert "whsec_present" in kept(store)


def test_a_migration_seals_what_is_there_and_has_numbers_looked_through_anew(
    tmp_path: Path, database: Callable[..., dict[str, Any]]
) -> None:
    settings = Settings(data_dir=tmp_path, admin_password="unused here", **database(bare=True))
    store = Store(settings)
    at_0004(settings, store)
    prepare(settings, store)
    held = kept(store)
    assert "whsec_" not in held and SESAME not in held
    with store.read() as session:
        models = db.metadata.tables
        rows = session.execute(sa.select(models["webhook"]).order_by(sa.text("id"))).mappings().all()
        assert [(row["secret"], row["previous_secret"], row["options"]) for row in rows] == [
            ("whsec_present", "whsec_former", {"rate": 5, "headers": {"X-Key": SESAME}}),
            ("whsec_other", None, {}),
        ]
        assert session.scalar(sa.select(models["inbox_message"].c.headers)) == f'[["X-Key", "{SESAME}"]]'
        assert not session.execute(sa.text("SELECT 1 FROM event_number")).all()
        mark = sa.text("SELECT value FROM meta WHERE key = 'renumber_below'")
        assert session.scalar(mark) == "8"
    secrets = dict(client_secret="of-client", refresh_token="of-grant", access_token="of-hour")
    with store.write() as session:
        session.add(
            ZohoAccount(
                location_id=1, client_id="1000.C", data_center="us", created_at=datetime.now(UTC), **secrets
            )
        )
    for _ in range(2):
        rotate_secret_key(settings, store)
    lines = (tmp_path / "secret.key").read_text().splitlines()
    (tmp_path / "secret.key").write_text(f"{lines[0]}\n")  # nothing hangs on a former key
    with store.read() as session:
        assert (
            session.scalars(sa.select(models["webhook"].c.secret).order_by(sa.text("1"))).first() is not None
        )
        assert not any(is_sealed(secret) for secret in session.scalars(sa.select(models["webhook"].c.secret)))
        account = session.scalars(sa.select(ZohoAccount)).one()
        assert {name: getattr(account, name) for name in secrets} == secrets
    store.engine.dispose()


@pytest.mark.databases("one")
def test_a_copy_of_the_database_is_no_copy_of_the_secrets_and_a_lost_key_stops_nothing(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance(SPOKE_RETRY_SCHEDULE="3600")
    token = one.location("Office")
    webhook = one.webhook("Office", receiver.url("/hook"), header=f"X-Key: {SESAME}")
    rotated = one.cli("webhook", "rotate", webhook["id"])["secret"]
    page = Visitor(one)
    inbox = page.post("/inboxes").headers["Location"].rpartition("/")[2]
    one.webhook("Office", f"{one.url}/inbox/{inbox}", header=f"X-Key: {SESAME}")
    other = one.webhook("Office", receiver.url("/other"))
    one.event(token, type="incoming_call", subtype="ringing")
    first = receiver.wait("/hook")[0]
    assert first.headers["x-key"] == SESAME
    for secret in (webhook["secret"], rotated):
        Verifier(secret).verify(first.body, first.headers)
    eventually(lambda: SESAME in page.get(f"/inboxes/{inbox}").text)
    store = one.app.extensions["spoke"].store
    held = kept(store)
    assert "sealed:" in held and "whsec_" not in held and SESAME not in held

    office = f"/locations/{one.location_id('Office')}"
    typed = {"host": "127.0.0.1", "port": "1", "user": "spoke", "secret": SESAME}
    assert page.post(f"{office}/asterisk", **typed).status_code == 303
    assert page.post(f"{office}/phone-systems/yeastar/secret", secret=SESAME).status_code == 303

    key = one.folder / "data" / "secret.key"
    one.cli("media", "rotate-key")
    one.event(token, type="incoming_call", subtype="answered")
    Verifier(rotated).verify(receiver.wait("/hook", 2)[1].body, receiver.at("/hook")[1].headers)
    eventually(lambda: not one.rows("SELECT 1 FROM delivery WHERE state = 'pending'"))
    one.stop()
    right = key.read_text()
    key.write_text("k" * 40 + "\n")
    one.start()
    said = [line for line in one.log.splitlines() if "sealed the secrets of webhook" in line]
    assert len(said) == 1 and f" key={key} " in said[0] and "SPOKE_OLD_SECRET_KEYS" in said[0]
    systems = [line for line in one.log.splitlines() if "sealed the secrets of phone systems" in line]
    assert len(systems) == 1
    assert "locations_in_all=1" in systems[0] and "enter the secrets again" in systems[0]
    assert "It cannot be read" in Visitor(one).get(f"{office}/phone-systems/yeastar").text
    broken = eventually(lambda: next((c for c in one.cli("pbx", "status") if c["state"] == "refused"), None))
    assert "another secret key sealed it" in broken["detail"]
    assert one.event(token, type="incoming_call", subtype="ended").json()["deliveries"] == 3
    query = "SELECT error FROM attempt WHERE error LIKE '%another secret key%'"
    eventually(lambda: len(one.rows(query)) == 3)
    page = Visitor(one)
    for path in ("/", f"/webhooks/{other['id']}", f"/webhooks/{webhook['id']}/edit", f"/inboxes/{inbox}"):
        assert page.get(path).status_code == 200, path
    one.cli("webhook", "edit", webhook["id"], "--description", "still as it is")
    fresh = one.cli("webhook", "rotate", other["id"])["secret"]  # whose secret is lost gets a new one
    one.event(token, type="incoming_call", subtype="missed")
    got = receiver.wait("/other", 3)[2]
    Verifier(fresh).verify(got.body, got.headers)
    one.stop()
    one.environment["SPOKE_OLD_SECRET_KEYS"] = right.split()[0]
    one.start()
    assert "Traceback" not in one.log
    assert one.log.count("sealed the secrets of webhook") == 1
    one.event(token, type="outgoing_call", subtype="ringing")
    eventually(lambda: [got for got in receiver.at("/hook") if got.json["type"] == "outgoing_call"])
    assert receiver.at("/hook")[-1].headers["x-key"] == SESAME


def test_a_vault_opens_what_former_keys_have_sealed_and_seals_with_the_present_one() -> None:
    keys = [Key("a former key of ours")]
    vault = Vault(lambda: keys)
    sealed = vault.seal("whsec_é\x00 \udcff")
    assert is_sealed(sealed) and sealed != vault.seal("whsec_é\x00 \udcff") and vault.seal(sealed) == sealed
    keys.insert(0, Key("the present key of ours"))
    assert vault.open(sealed) == "whsec_é\x00 \udcff"
    anew = vault.seal("x")
    keys.pop()
    assert vault.open(anew) == "x" and vault.open("in the clear") == "in the clear"
    with pytest.raises(SecretLost):
        vault.open(sealed)


def test_a_secret_is_opened_once_in_a_process() -> None:
    """A lane's row is read anew with each burst of events: that must not cost a decryption each time."""
    vault = Vault(lambda: [Key("the present key of ours")])
    sealed = [vault.seal(f"secret {number}") for number in range(200)]

    def seconds() -> float:
        began = time.process_time()
        assert [vault.open(one) for one in sealed][7] == "secret 7"
        return time.process_time() - began

    first, *later = (seconds() for _ in range(6))
    assert min(later) < first / 3
