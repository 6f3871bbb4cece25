"""Commits of others are noticed, one's own connection's reads are none."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from webhooks.db.commits import CommitWatch
from webhooks.db.store import Store
from webhooks.settings import Settings


def test_each_commit_is_noticed_once_whoever_makes_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings)
    with store.direct() as direct:
        direct.run("CREATE TABLE one (x INTEGER)")
    watch = CommitWatch(store)
    assert watch.changed()  # the first time, whatever is there is new
    assert not watch.changed()
    with Store(settings).direct() as direct:
        direct.run("INSERT INTO one VALUES (1)")
    assert watch.changed() and not watch.changed()
    with store.write() as session:
        session.execute(sa.text("INSERT INTO one VALUES (1)"))
    assert watch.changed() and not watch.changed()
    with store.direct_read() as direct:
        direct.rows("SELECT x FROM one")
    assert not watch.changed()
    with sqlite3.connect(settings.sqlite_file) as other:
        other.execute("INSERT INTO one VALUES (2)")
    assert watch.changed() and not watch.changed()


def test_what_the_thread_commits_itself_is_no_news_and_hides_none(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings)
    with store.direct() as direct:
        direct.run("CREATE TABLE one (x INTEGER)")
    watch = CommitWatch(store)
    assert watch.changed()
    with store.direct() as direct:
        direct.run("INSERT INTO one VALUES (1)")
    assert not watch.changed()
    with Store(settings).direct() as direct:
        direct.run("INSERT INTO one VALUES (2)")
    with store.direct() as direct:
        direct.run("INSERT INTO one VALUES (3)")
    assert watch.changed() and not watch.changed()
    with store.direct_read(), Store(settings).direct() as direct:  # the watch gets another connection
        direct.run("INSERT INTO one VALUES (4)")
    with store.direct_read():
        assert watch.changed()


def test_where_it_cannot_be_told_there_may_have_been_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    watch = CommitWatch(Store(settings))
    assert watch.changed()
    settings.sqlite_file.write_bytes(b"no database" * 1000)
    assert watch.changed() and watch.changed()
