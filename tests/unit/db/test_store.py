"""Connections below SQLAlchemy: kept at hand between transactions, and closed with the engine."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from webhooks.db.raw import RawConnection
from webhooks.db.store import Store
from webhooks.errors import WriteFailed
from webhooks.settings import Settings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings(data_dir=tmp_path))


def driver_of(direct: RawConnection) -> Any:
    return direct.connection


def test_a_connection_serves_one_transaction_after_the_other_and_two_at_a_time_have_two(store: Store) -> None:
    with store.direct() as direct:
        first = driver_of(direct)
        direct.run("CREATE TABLE one (x INTEGER)")
        with store.direct_read() as beside:
            assert driver_of(beside) is not first
    with store.direct_read() as direct, store.direct_read() as beside:
        assert first in (driver_of(direct), driver_of(beside))
        assert driver_of(direct) is not driver_of(beside)


def test_what_failed_is_rolled_back_and_the_connection_goes_on(store: Store) -> None:
    with store.direct() as direct:
        direct.run("CREATE TABLE one (x INTEGER)")
    with pytest.raises(ZeroDivisionError), store.direct() as direct:
        direct.run("INSERT INTO one VALUES (1)")
        raise ZeroDivisionError
    with store.direct_read() as direct:
        assert direct.rows("SELECT x FROM one") == []
        assert not driver_of(direct).in_transaction


def test_a_connection_that_the_driver_gave_up_is_not_used_again(store: Store) -> None:
    with pytest.raises(WriteFailed), store.direct() as direct:
        broken = driver_of(direct)
        direct.run("SELECT x FROM missing")
    with store.direct_read() as direct, store.direct_read() as beside:
        assert broken not in (driver_of(direct), driver_of(beside))


def test_with_the_engine_they_are_closed(store: Store) -> None:
    """A process that forks has none to carry over."""
    with store.direct_read() as direct:
        kept = driver_of(direct)
    store.engine.dispose()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept.execute("SELECT 1")
    with store.direct_read() as direct:
        assert direct.rows("SELECT 1") == [(1,)]
