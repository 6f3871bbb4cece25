"""``python app.py``: one small supervisor that starts everything, keeps it running, and stops it.

A single-threaded loop; children are started by exec, in sessions of their own (so that Ctrl-C reaches them
only through us), and the kernel kills them should the supervisor itself be killed (``setpriv --pdeathsig``).
"""

import contextlib
import fcntl
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from webhooks.errors import SpokeError, StartError
from webhooks.operate import logs
from webhooks.operate.redis_server import find_server, server_command
from webhooks.settings import ROOT, VERSION, Settings, load_settings

_TICK_SECONDS: Final = 0.05
_BACK_OFF: Final = (0.1, 5.0)
_STEADY_SECONDS: Final = 30.0  # a child that ran so long starts again without delay
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 17.0  # ten for attempts in flight, and some to settle them
_PYTHON: Final = (sys.executable, "-m")

USAGE: Final = """\
usage: python app.py            start the appliance: web server, workers, Redis, all of it
       python app.py worker     start delivery workers alone, beside web servers elsewhere
       gunicorn app:app         start the web half alone
       flask --app app --help   administration: locations, webhooks, keys
Settings are environment variables; README.md lists them."""

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; the answer is the exit status."""
    if arguments not in ([], ["worker"]):
        print(USAGE)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        settings = load_settings()
        return run_workers(settings) if arguments else run_appliance(settings)
    except SpokeError as error:
        print(f"Spoke Webhooks: {error}", file=sys.stderr)
        return 1


@dataclass
class Child:
    """A process that is to run all the time."""

    name: str
    command: list[str]
    fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = _BACK_OFF[0]
    start_at: float = 0.0

    def start(self) -> None:
        environment = {**os.environ, "SPOKE_PROCESS": self.name, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *self.command],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=self.fds,
        )  # fmt: skip
        self.started_at = time.monotonic()

    def look_after(self) -> None:
        """Start it, or start it again once its pause is over."""
        now = time.monotonic()
        if self.process is not None:
            status = self.process.poll()
            if status is None:
                return
            self.process = None
            if now - self.started_at >= _STEADY_SECONDS:
                self.pause = _BACK_OFF[0]
            self.start_at = now + self.pause
            log.warning("%s %s; it is started again in %.1f s", self.name, _ending(status), self.pause)
            self.pause = min(self.pause * 2, _BACK_OFF[1])
        elif now >= self.start_at:
            self.start()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, until: float) -> None:
        """Wait for the end, at most until then (monotonic); after it the child is killed."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time and is killed", self.name)
            self.process.kill()
            self.process.wait()


def _ending(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


@dataclass
class Supervisor:
    """Runs children until SIGTERM or SIGINT."""

    children: list[Child] = field(default_factory=list)
    redis: Child | None = None
    stop_wanted: bool = False

    @property
    def _all(self) -> list[Child]:
        return [self.redis, *self.children] if self.redis else self.children

    @contextlib.contextmanager
    def signals(self) -> Iterator[int]:
        """Signals arrive as bytes on the descriptor given, so that a wait ends at once."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield reader

    def _note(self, _number: int, _frame: object) -> None:
        if self.stop_wanted:  # a second Ctrl-C: no more patience
            for child in self._all:
                child.signal(signal.SIGKILL)
        self.stop_wanted = True

    def run(self, wakeup: int, each_tick: Callable[[], None]) -> None:
        while not self.stop_wanted:
            for child in self._all:
                child.look_after()
            each_tick()
            select.select([wakeup], [], [], _TICK_SECONDS if self._restless() else 1.0)
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 512)

    def _restless(self) -> bool:
        return any(child.process is None or time.monotonic() - child.started_at < 5 for child in self._all)

    def stop(self) -> None:
        """All at once, but Redis after the others."""
        until = time.monotonic() + _STOP_SECONDS
        for child in self.children:
            child.signal(signal.SIGTERM)
        for child in reversed(self.children):
            child.wait(until)
        if self.redis:
            self.redis.signal(signal.SIGTERM)
            self.redis.wait(time.monotonic() + 5)


def run_appliance(settings: Settings) -> int:
    """The whole appliance in the foreground; the answer is the exit status.

    Raises:
        StartError: a port in use, a data dir taken or not writable, no Redis server.
    """
    started = time.monotonic()
    logs.set_up("appliance", settings.log)
    supervisor = Supervisor()
    with _only_one(settings), _listening(settings) as listener, supervisor.signals() as wakeup:
        _say(f"Spoke Webhooks {VERSION}, data in {settings.data}")
        try:
            if settings.redis_url:
                _say("Redis: the server of REDIS_URL")
            else:
                supervisor.redis = _start_redis(settings)
            _prepare()
            supervisor.children += [*worker_children(settings), _web(settings, listener)]
            supervisor.run(wakeup, _Announcement(settings, started))
        finally:
            _say("Stopping…")
            supervisor.stop()
    _say("Stopped.")
    return 0


def run_workers(settings: Settings) -> int:
    """The worker half alone, beside an appliance or web servers elsewhere; the answer is the exit status."""
    logs.set_up("workers", settings.log)
    supervisor = Supervisor(worker_children(settings))
    with supervisor.signals() as wakeup:
        _say(f"Spoke Webhooks {VERSION}: {settings.workers} delivery workers")
        try:
            supervisor.run(wakeup, lambda: None)
        finally:
            supervisor.stop()
    return 0


def worker_children(settings: Settings) -> list[Child]:
    workers = [
        Child(f"worker-{number}", [*_PYTHON, "webhooks.operate.worker"])
        for number in range(1, settings.workers + 1)
    ]
    return [*workers, Child("housekeeping", [*_PYTHON, "webhooks.operate.housekeeping"])]


def _web(settings: Settings, listener: socket.socket) -> Child:
    command = [*_PYTHON, "gunicorn", "--config", "python:webhooks.operate.gunicorn", "app:app"]
    # The socket is ours: while the web server starts anew, callers wait in its queue and are not refused.
    return Child("web", [*command, "--bind", f"fd://{listener.fileno()}"], (listener.fileno(),))


def _say(line: str) -> None:
    logging.getLogger("webhooks").info("%s", line)


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """One appliance a data dir."""
    data = settings.data
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(data / "appliance.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"SPOKE_DATA_DIR={data} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(
            f"SPOKE_DATA_DIR={data} is in use by another appliance. Stop that one, or set another data dir."
        ) from None
    try:
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    host = "" if settings.host == "*" else settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror):
            raise StartError(f"SPOKE_HOST={settings.host} is no address of this machine.") from None
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(
            f"SPOKE_PORT={settings.port} on SPOKE_HOST={settings.host} cannot be used: {reason}. "
            "Choose another port or address, or stop what uses it."
        ) from None
    with listener:
        yield listener


def _start_redis(settings: Settings) -> Child:
    server = find_server(settings)
    path = settings.redis_socket
    child = Child("redis", server_command(settings, server))
    path.unlink(missing_ok=True)
    child.start()
    until = time.monotonic() + 5
    while not _accepts(path):
        if time.monotonic() > until or (child.process and child.process.poll() is not None):
            child.signal(signal.SIGKILL)
            raise StartError(
                f"The embedded Redis server {server} did not start; its own lines above say why."
            )
        time.sleep(0.01)
    _say(f"Redis: {server.name} from {server.parent}")
    return child


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _prepare() -> None:
    """Database, keys and password, in a process of its own: this one stays small."""
    command = [*_PYTHON, "webhooks.operate.first_steps"]
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=600).returncode:
        raise StartError("The start stops here; the line above says why.")
    _say("Database: ready")


class _Announcement:
    """Says once that all is ready, with the address last."""

    def __init__(self, settings: Settings, started: float) -> None:
        self._settings, self._started = settings, started
        self._said = False

    def __call__(self) -> None:
        waited = time.monotonic() - self._started
        if self._said or not (self._ready() or waited > _START_SECONDS):
            return
        self._said = True
        if waited > _START_SECONDS:
            log.warning("not ready after %.0f s; /readyz says what is missing", waited)
        if self._settings.wildcard_host and not self._settings.public_url:
            log.warning(
                "SPOKE_PUBLIC_URL is not set: links to media start with %s, which receivers may not know",
                self._settings.base_url,
            )
        _say(f"Ready after {waited:.1f} s: {self._settings.base_url}  (Ctrl-C stops)")

    def _ready(self) -> bool:
        host = "127.0.0.1" if self._settings.wildcard_host else self._settings.host
        address = f"http://{f'[{host}]' if ':' in host else host}:{self._settings.port}/readyz"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(address, timeout=0.5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
