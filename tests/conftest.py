"""Fixtures: ``receiver``, ``appliance`` (shared by many tests), ``start_appliance`` (one of a test's own)."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

# Before anything of ours is imported: a test never touches the checkout's own data dir.
os.environ["SPOKE_DATA_DIR"] = tempfile.mkdtemp(prefix="spoke-tests-")

from appliance import ROOT, Appliance, PostgreSQL, Visitor, make_tables
from forks import Forks
from receiver import Receiver
from sample_data import Filled, fill

# A loaded machine is no fault of what is tested. A failing example is printed with what repeats it. More
# examples by hand: --hypothesis-profile=soak.
hypothesis.settings.register_profile("spoke", deadline=None, print_blob=True, max_examples=30)
hypothesis.settings.register_profile("soak", deadline=None, print_blob=True, max_examples=2000)
hypothesis.settings.load_profile("spoke")

# Those that take half a minute and more, the longest first.
LONG = [
    "image/test_image.py", "pbx/test_breaks.py", "pbx/test_courses.py", "runtime/test_start.py",
    "test_architecture.py", "dispatcher/test_machines.py", "media/test_waiting.py", "media/test_crashes.py",
    "runtime/test_crashes.py", "web/api/test_schemathesis.py", "browser/test_every_page.py",
    "media/test_erasure.py", "pbx/test_connect.py", "dispatcher/test_isolation.py",
    "dispatcher/test_order.py",
]  # fmt: skip


def pytest_sessionfinish() -> None:
    shutil.rmtree(os.environ["SPOKE_DATA_DIR"], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """How a page looks or a request is read does not depend on the database: such run on SQLite alone.

    What is long comes first, and what needs the same database together, so that all processes end at a time.
    """
    twice = {item for item in items if _on_one_database(item) and item.get_closest_marker("postgresql")}
    config.hook.pytest_deselected(items=[*twice])
    kinds = ("", "sqlite", "postgresql")

    def turn(item: pytest.Item) -> tuple[int, int]:
        file = item.nodeid.partition("::")[0].removeprefix("tests/")
        return kinds.index(_database(item.nodeid)), LONG.index(file) if file in LONG else len(LONG)

    items[:] = sorted((item for item in items if item not in twice), key=turn)


def _on_one_database(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("databases")
    return mark is not None and mark.args == ("one",)


def _database(nodeid: str) -> str:
    """Which one a test runs on; "" if it uses neither fixture."""
    return next((kind for kind in ("postgresql", "sqlite") if f"[{kind}" in nodeid), "")


def need(tool: str | None, what: str) -> None:
    """Skip where a tool is missing, saying what to install; in CI that is a failure."""
    if tool:
        return
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def movable_clock(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The library for ``clock``, where there is a compiler."""
    if not shutil.which("cc"):
        return None
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", "-o", library, ROOT / "tests" / "clock.c", "-ldl"], check=True
    )
    return library


@pytest.fixture(scope="session", autouse=True)
def start_by_forks(tmp_path_factory: pytest.TempPathFactory, movable_clock: Path | None) -> Iterator[None]:
    """What appliances are started with, where the start itself is not under test.

    Migrations run once: a first start finds tables, and no rows in them.
    """
    one = Forks(movable_clock)
    Appliance.forks, Appliance.tables = one, make_tables(tmp_path_factory.mktemp("tables"))
    yield
    Appliance.forks = Appliance.tables = None
    one.close()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    need(PostgreSQL.program("initdb"), "PostgreSQL is missing: apt install postgresql")
    server = PostgreSQL()
    make_tables(tmp_path_factory.mktemp("tables"), server.new())
    server.template = server.newest
    yield server
    server.close()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Makes the environment for a new database; each test that uses it runs on both kinds.

    Its tables are there and have no rows; with ``bare=True`` there is none.
    """
    if request.param == "sqlite":
        return lambda bare=False: {}
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return lambda bare=False: {"DATABASE_URL": server.new(bare)}


@pytest.fixture(scope="session")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, database: Callable[..., dict[str, Any]]
) -> Iterator[Appliance]:
    """One that many tests share: each adds a location of its own. Retries come after 1 and 1 seconds."""
    running = Appliance(tmp_path_factory.mktemp("shared"), SPOKE_RETRY_SCHEDULE="1,1", **database())
    yield running
    running.end()


@pytest.fixture(scope="session")
def patient(
    tmp_path_factory: pytest.TempPathFactory, database: Callable[..., dict[str, Any]]
) -> Iterator[Appliance]:
    """One that many tests share, and that waits ten minutes before a retry; attempts have two seconds."""
    folder = tmp_path_factory.mktemp("patient")
    running = Appliance(folder, SPOKE_RETRY_SCHEDULE="600,600", SPOKE_TIMEOUT="2", **database())
    yield running
    running.end()


@pytest.fixture
def start_appliance(
    tmp_path: Path, database: Callable[..., dict[str, Any]]
) -> Iterator[Callable[..., Appliance]]:
    """Starts appliances of the test's own, which are stopped after it.

    ``folder``: where, instead of in the test's own folder; ``start=False``: the test starts it itself.
    """
    made: list[Appliance] = []

    def make(
        *arguments: str, folder: Path | None = None, start: bool = True, **environment: Any
    ) -> Appliance:
        folder = folder or tmp_path / f"appliance-{len(made)}"
        one = Appliance(folder, *arguments, start=False, **{**database(), **environment})
        made.append(one)
        if start:
            one.start()
        return one

    yield make
    for one in made:
        one.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def place(appliance: Appliance) -> tuple[str, str]:
    """A location of the test's own in the shared appliance: name and token."""
    name = f"Office {uuid.uuid4().hex[:8]}"
    return name, appliance.location(name)


@pytest.fixture
def visitor(appliance: Appliance) -> Visitor:
    """The admin at the shared appliance, logged in."""
    return Visitor(appliance)


@pytest.fixture(scope="module")
def filled(appliance: Appliance) -> Filled:
    """The shared appliance with all that pages can show in it, hostile text too."""
    one = Receiver()
    found = fill(appliance, one, f"Head Office {uuid.uuid4().hex[:6]}", hostile=True)
    one.close()
    return found


@pytest.fixture
def clock(tmp_path: Path, movable_clock: Path | None) -> dict[str, Any]:
    """Environment for a process whose wall clock is moved by what is written to the file ``clock``."""
    need(
        str(movable_clock or ""),
        "A C compiler is missing, for a clock that can be moved: apt install gcc libc6-dev",
    )
    (tmp_path / "clock").write_text("0")
    return {"LD_PRELOAD": str(movable_clock), "TEST_CLOCK": str(tmp_path / "clock")}


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """The tests of a file on one kind of database run in one process, in the order of the collection.

    A process starts the shared appliance once for each kind.

    xdist's own groups do not hold with this pytest: it asks the node for its id in another way.
    """

    class ByFileAndDatabase(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0] + _database(nodeid)

    config.option.loadscopereorder = False
    return ByFileAndDatabase(config, log)
