"""The appliance as a real process, and a PostgreSQL server for the tests that run on one."""

import base64
import contextlib
import functools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests
from forks import Forked, Forks

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse"

Place = tuple[str, str]  # a location's name and token


def free_port() -> int:
    """A port below those that Linux gives to callers, so that a restart finds it free still."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def basic(user: str, password: str) -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def eventually(check: Any, seconds: float = 10, every: float = 0.02) -> Any:
    """The first true answer of ``check()``; fails the test if none comes in time.

    The pauses grow from ``every`` to five times as much: a check costs the appliance something too.
    """
    began, pause = time.monotonic(), every
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < began + seconds, f"not so within {seconds} s: {check}"
        time.sleep(pause)
        pause = min(pause * 1.2, every * 5)


class Appliance:
    """``python app.py`` in a data dir of its own. Usable as soon as it is made.

    ``forks``: what to start it with, instead of a new interpreter; ``tables``: the database that a first
    start by them finds.
    """

    forks: Forks | None = None
    tables: Path | None = None

    def __init__(self, folder: Path, *arguments: str, start: bool = True, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = arguments
        self.environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("SPOKE_", "PYTHON"))
            },
            "SPOKE_DATA_DIR": str(folder / "data"),
            "SPOKE_PORT": str(self.port),
            "SPOKE_ADMIN_PASSWORD": PASSWORD,
            "SPOKE_ALLOW_NETS": "127.0.0.0/8,::1",
            "SPOKE_TZ": "UTC",
            **environment,
        }
        self.log_file = folder / "log"
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        if start:
            self.start()

    # --- the process ---

    def spawn(self) -> subprocess.Popen[bytes] | Forked:
        with self.log_file.open("ab") as log:
            if self.forks and self.forks.can_start(self.environment):
                self._put_tables()
                self.process = self.forks.start(self.arguments, self.folder, self.environment, log)
            else:
                self.process = subprocess.Popen(
                    [sys.executable, str(ROOT / "app.py"), *self.arguments],
                    cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
        return self.process

    def _put_tables(self) -> None:
        data = Path(self.environment["SPOKE_DATA_DIR"])
        if self.tables and "DATABASE_URL" not in self.environment and not data.exists():
            data.mkdir(mode=0o700)
            shutil.copy(self.tables, data)

    def start(self) -> None:
        self.spawn()
        self.wait_ready()

    def wait_ready(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(requests.RequestException):
                if self.get("/readyz", timeout=2).status_code == 200:
                    return
            assert self.process is None or self.process.poll() is None, self.log
            assert time.monotonic() < until, f"not ready within {seconds} s\n{self.log}"
            time.sleep(0.05)

    def stop(self, seconds: float = 25) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """``kill -9`` of the supervisor alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """After a test: nothing may be left, whatever happened in it."""
        if "app" in vars(self):
            self.app.extensions["spoke"].store.engine.dispose()
        left = self.family()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(5)

    def family(self) -> list[psutil.Process]:
        """The supervisor and all that descends from it."""
        if self.process is None or self.process.poll() is not None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def named(self, part: str) -> list[psutil.Process]:
        """Processes with ``part`` in their command line: worker-1, master, housekeeping, valkey-server…"""
        found = []
        for process in self.family()[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                if part in " ".join(process.cmdline()):
                    found.append(process)
        return found

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    # --- its doors ---

    def get(self, path: str, **more: Any) -> requests.Response:
        return self._session.get(self.url + path, **{"timeout": 10, "allow_redirects": False, **more})

    def post(self, path: str, **more: Any) -> requests.Response:
        return self._session.post(self.url + path, **{"timeout": 10, "allow_redirects": False, **more})

    def event(self, token: str, **fields: Any) -> requests.Response:
        return self.post("/api/events", json=fields, headers={"Authorization": f"Bearer {token}"})

    def ring(self, token: str, status: int = 202, **fields: Any) -> str:
        """Post an event that any call webhook matches; its id, if it is taken as it should be."""
        answer = self.event(token, **{"type": "incoming_call", "subtype": "ringing", **fields})
        assert answer.status_code == status, answer.text
        return str(answer.json().get("id"))

    def answers(self, path: str = "/healthz") -> bool:
        with contextlib.suppress(requests.RequestException):
            return self.get(path, timeout=2).status_code == 200
        return False

    def cli(self, *arguments: object, status: int = 0) -> Any:
        """A command with ``--json``, run in this process: the command line's own start takes two seconds."""
        result = self.app.test_cli_runner().invoke(
            args=[*map(str, arguments), "--json"], catch_exceptions=False
        )
        assert result.exit_code == status, result.output
        return json.loads(result.stdout) if status == 0 else result.stderr

    def invoke(self, *arguments: object, **more: Any) -> Any:
        """A command run in this process, as it is: the result with exit_code, stdout and stderr."""
        return self.app.test_cli_runner().invoke(args=[*map(str, arguments)], catch_exceptions=False, **more)

    @functools.cached_property
    def app(self) -> Any:
        """The Flask application on this appliance's data, in this process."""
        from app import create_app

        with _environment(self.environment):
            return create_app()

    def flask(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """The command line as people run it."""
        command = [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, **more
        )

    def location(self, name: str) -> str:
        """Add a location; its token."""
        return str(self.cli("location", "add", name)["token"])

    def location_id(self, name: str) -> int:
        return next(int(one["id"]) for one in self.cli("location", "list") if one["name"] == name)

    def webhook(self, location: str, url: str, kind: str = "call", **options: object) -> dict[str, Any]:
        """Add a webhook; a list is an option that is repeated."""
        given = [
            part
            for name, values in options.items()
            for value in (values if isinstance(values, list) else [values])
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        added: dict[str, Any] = self.cli(
            "webhook", "add", "--location", location, "--kind", kind, "--url", url, *given
        )
        return added

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Ask the database, where no door tells yet."""
        import sqlalchemy as sa

        with self.app.extensions["spoke"].store.read() as session:
            return list(session.execute(sa.text(query), parameters).all())

    def totals(self) -> tuple[int, dict[str, int]]:
        """How many deliveries events were matched to, and deliveries by state, each with what was purged."""
        tally = self.rows("SELECT state, sum(n) AS n FROM tally GROUP BY state")
        purged = {row.state: int(row.n) for row in tally}
        matched = int(self.rows("SELECT sum(matched) AS n FROM event")[0].n or 0) + purged.pop("matched", 0)
        for row in self.rows("SELECT state, count(*) AS n FROM delivery GROUP BY state"):
            purged[row.state] = purged.get(row.state, 0) + row.n
        return matched, purged


def make_tables(folder: Path, database_url: str | None = None) -> Path:
    """An up-to-date database without a row, as migrations make it; its file, if it is SQLite's."""
    from webhooks.data_dir import make_ready
    from webhooks.db.schema import migrate
    from webhooks.db.store import Store
    from webhooks.keyring import secret_key
    from webhooks.settings import Settings

    settings = Settings(data_dir=folder, database_url=database_url, admin_password="unused here")
    make_ready(settings)
    secret_key(settings)
    store = Store(settings)
    migrate(store)
    store.engine.dispose()
    return folder / "spoke.sqlite3"


class Visitor:
    """The admin without a browser: logged in, sending forms as a browser does. Redirects are not followed."""

    def __init__(self, appliance: Appliance, password: str = PASSWORD) -> None:
        self._url = appliance.url
        self.session = requests.Session()
        self.session.trust_env = False
        assert self.post("/login", password=password).status_code == 303

    def get(self, path: str, **more: Any) -> requests.Response:
        headers = {"Accept": "text/html", **more.pop("headers", {})}
        return self.session.get(self._url + path, timeout=10, allow_redirects=False, headers=headers, **more)

    def post(self, path: str, **fields: Any) -> requests.Response:
        headers = {"Origin": self._url, "Accept": "text/html"}
        return self.session.post(
            self._url + path, timeout=10, allow_redirects=False, headers=headers, data=fields
        )


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class PostgreSQL:
    """A server of the tests' own, on a Unix socket in its own folder; ``new()`` makes an empty database."""

    def __init__(self) -> None:
        folder = self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short, and open to the server's user
        self._made = 0
        self.template = "template1"
        self._bin = Path(self.program("initdb")).parent
        self._as: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        self._run(
            "initdb",
            "-D",
            str(folder / "data"),
            "-A",
            "trust",
            "-U",
            "spoke",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        self.start()

    @staticmethod
    def program(name: str) -> str:
        """The newest installed server's program (Debian keeps it off the PATH), "" if there is none."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4]))
        on_path = shutil.which(name)
        return str(found[-1]) if found else os.path.realpath(on_path) if on_path else ""

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), *arguments]
        # No pipe: the server would keep it open.
        with (self.folder / f"{program}.out").open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/")
        assert done.returncode == 0, (self.folder / f"{program}.out").read_text()

    def new(self, bare: bool = False) -> str:
        """The URL of a new database: a copy of ``template``, unless it is to be bare."""
        self._made += 1
        name, template = self.newest, "template1" if bare else self.template
        with psycopg.connect(f"host={self.folder} user=spoke dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql://spoke@/{name}?host={self.folder}"

    @property
    def newest(self) -> str:
        return f"spoke{self._made}"

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=200"
        self._run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-o",
            options,
            "-l",
            str(self.folder / "log"),
            "-w",
            "start",
        )
