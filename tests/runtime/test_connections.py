"""Kept connections to PostgreSQL: used as they are, and replaced where the server has ended them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from appliance import PostgreSQL

from webhooks.db.store import Store
from webhooks.settings import Settings

pytestmark = pytest.mark.databases("one")


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.new()


@pytest.fixture
def store(tmp_path: Path, url: str) -> Iterator[Store]:
    made = Store(Settings(data_dir=tmp_path, database_url=url, admin_password="unused here"))
    yield made
    made.engine.dispose()


def _server_process(store: Store) -> Any:
    with store.read() as session:
        return session.scalar(sa.text("SELECT pg_backend_pid()"))


def test_a_kept_connection_is_used_without_asking_whether_it_lives(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _server_process(store)
    asked: list[Any] = []
    monkeypatch.setattr(store.engine.dialect, "do_ping", asked.append)
    assert [_server_process(store) for _ in range(3)] == [before] * 3
    assert not asked


def test_a_connection_that_the_server_has_ended_is_replaced_unseen(store: Store, url: str) -> None:
    for use in (_server_process, _by_the_driver):
        before = use(store)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [before])  # returns when it has ended
        assert use(store) != before


def _by_the_driver(store: Store) -> Any:
    with store.direct_read() as direct:
        [[process]] = direct.rows("SELECT pg_backend_pid()")
    return process


def test_a_write_after_reads_on_the_same_connection_is_still_undone_as_a_whole(
    store: Store,
) -> None:
    _by_the_driver(store)
    with pytest.raises(ZeroDivisionError), store.direct() as direct:
        direct.run("CREATE TABLE undone (id integer)")
        raise ZeroDivisionError
    with store.read() as session:
        assert session.scalar(sa.text("SELECT to_regclass('undone')")) is None
        state = session.connection().connection.driver_connection.info.transaction_status  # type: ignore[union-attr]
        assert state == psycopg.pq.TransactionStatus.IDLE
