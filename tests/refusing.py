"""A database that refuses rows, as a full constraint or a damaged page would."""

import contextlib
import uuid
from collections.abc import Iterator

from appliance import Appliance

from webhooks.db import row_errors


@contextlib.contextmanager
def refusing(appliance: Appliance, table: str, event: str, when: str) -> Iterator[None]:
    """A trigger that refuses rows: ``when`` says which, in terms of NEW and OLD."""
    name = f"refuse_{uuid.uuid4().hex[:12]}"
    store = appliance.app.extensions["spoke"].store
    if store.sqlite:
        make = [f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {when} "
                "BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"]  # fmt: skip
        drop = [f"DROP TRIGGER {name}"]
    else:
        make = [f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE EXCEPTION 'refused by a trigger'; END$$",
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) "
                f"EXECUTE FUNCTION {name}()"]  # fmt: skip
        drop = [f"DROP TRIGGER {name} ON {table}", f"DROP FUNCTION {name}()"]

    def run(statements: list[str]) -> None:
        with store.write() as session:
            for one in statements:
                session.connection().exec_driver_sql(one)

    run(make)
    try:
        yield
    finally:
        run(drop)
        row_errors._left.clear()
