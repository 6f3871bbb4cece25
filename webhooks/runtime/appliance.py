"""``python app.py``: start the appliance, keep it running, stop it.

Settings, lock and port are checked before all modules are loaded, which takes a second.
"""

import contextlib
import functools
import importlib
import logging
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from webhooks.data_dir import make_ready, try_lock
from webhooks.errors import SpokeError, StartError
from webhooks.runtime import logs
from webhooks.runtime.listener import listening
from webhooks.runtime.redis_log import RedisLog
from webhooks.runtime.redis_server import exec_server, find_server, remove_folder, write_config
from webhooks.runtime.supervisor import Child, Flag, Heartbeat, Supervisor
from webhooks.settings import ROOT, VERSION, Settings, load_settings, unknown_variables

_START_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05

USAGE: Final = """\
usage: python app.py            start the appliance: web server, workers, Redis, all of it
       python app.py web        start the web half alone, beside workers elsewhere
       python app.py worker     start the delivery workers alone, beside web servers elsewhere
       python app.py COMMAND …  administration, the same as flask --app app COMMAND …
       flask --app app --help   lists the commands
Settings are environment variables; docs/reference.md lists them."""

# Listed here so that a misspelt command loads nothing and makes no data dir. A test compares the list.
COMMANDS: Final = frozenset(
    (
        "location",
        "webhook",
        "event",
        "delivery",
        "replay",
        "media",
        "key",
        "erase",
        "password",
        "pbx",
        "alert",
        "zoho",
    )
)

log = logging.getLogger(__name__)


def main(arguments: list[str], web: str) -> int:
    """Run what the command line asks for. Returns the exit status.

    ``web`` names the module whose import makes ``app``, the WSGI application.
    """
    if arguments in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if arguments not in ([], ["web"], ["worker"]):
        if arguments[0] not in COMMANDS:
            print(USAGE, file=sys.stderr)
            return 2
        flask = [sys.executable, "-m", "flask", "--app", str(ROOT / f"{web}.py"), *arguments]
        os.execv(sys.executable, flask)
    try:
        settings = load_settings()
        if arguments == ["web"]:
            return run_web(settings, web)
        return run_workers(settings) if arguments else run_appliance(settings, web)
    except SpokeError as error:
        print(f"Spoke Webhooks: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder without write permission
        print(f"Spoke Webhooks: the start failed: {error}", file=sys.stderr)
        return 1


def run_appliance(settings: Settings, web: str) -> int:
    """Run the whole appliance in the foreground. Returns the exit status.

    Raises:
        StartError: a port in use, a data dir taken or not writable, no Redis server, no database.
    """
    started = time.monotonic()
    _set_up_log("appliance", settings)
    supervisor = Supervisor()
    with _only_one(settings) as lock, listening(settings) as listener, supervisor.signals() as wakeup:
        _say(f"Spoke Webhooks {VERSION}, data in {settings.data}")
        try:
            if settings.redis_url:
                _say("Redis: the server of REDIS_URL")
            else:
                _start_redis(supervisor, settings, (lock, listener.fileno()))
            try:
                app = importlib.import_module(web).app  # makes the keys, the schema, the first password
            except SystemExit:  # app.py has printed the reason
                return 1
            _say("Database: ready")
            supervisor.children += [
                *worker_children(settings, close=(lock, listener.fileno())),
                *web_children(app, listener, close=(lock,)),
            ]
            supervisor.run(wakeup, _Announcement(settings, started))
        finally:
            _say("Stopping…")
            supervisor.stop()
            if supervisor.last:
                remove_folder(settings)
    _say("Stopped.")
    return 0


def run_web(settings: Settings, web: str) -> int:
    """Run the web half alone, beside workers elsewhere. Returns the exit status.

    Raises:
        StartError: a port in use, or the data dir or the database cannot be used.
    """
    _set_up_log("appliance", settings)
    with listening(settings) as listener:
        try:
            app = importlib.import_module(web).app
        except SystemExit:  # app.py has printed the reason
            return 1
        supervisor = Supervisor(web_children(app, listener, close=()))
        with supervisor.signals() as wakeup:
            _say(f"Spoke Webhooks {VERSION}, the web half alone: {settings.base_url}  (Ctrl-C stops)")
            try:
                supervisor.run(wakeup, lambda: None)
            finally:
                supervisor.stop()
    return 0


def run_workers(settings: Settings) -> int:
    """Run the worker half alone, beside an appliance or web servers elsewhere. Returns the exit status.

    Raises:
        StartError: the data dir or the database cannot be used.
    """
    from webhooks.db.store import Store
    from webhooks.runtime.startup import prepare, print_password

    _set_up_log("workers", settings)
    print_password(prepare(settings, Store(settings)))
    supervisor = Supervisor(worker_children(settings, close=()))
    with supervisor.signals() as wakeup:
        _say(f"Spoke Webhooks {VERSION}: {settings.workers} delivery workers")
        try:
            supervisor.run(wakeup, lambda: None)
        finally:
            supervisor.stop()
    return 0


def worker_children(settings: Settings, close: tuple[int, ...]) -> list[Child]:
    """Children other than web and Redis. ``close``: the supervisor's descriptors that they must not hold."""
    from webhooks.runtime import converter, housekeeping, pbx, worker

    def child(name: str, run: Callable[[Settings, str], int]) -> Child:
        return Child(name, functools.partial(run, settings, name), close)

    workers = [child(f"worker-{number}", worker.run) for number in range(1, settings.workers + 1)]
    media = [child("media", converter.run), child("media-short", converter.run_short)]
    # A site without a connection to a phone system is spared the memory of its process.
    connected = Flag()
    keeper = child("housekeeping", functools.partial(housekeeping.run, pbx_wanted=connected))
    holder = child("pbx", pbx.run)
    holder.wanted = connected
    return [*workers, *media, keeper, holder]


def web_children(app: Any, listener: socket.socket, close: tuple[int, ...]) -> list[Child]:
    """Web processes. The supervisor holds the socket: callers wait in its queue while a process restarts."""
    from webhooks.runtime.webserver import PROCESSES, serve

    def child(name: str) -> Child:
        heartbeat = Heartbeat()
        return Child(name, functools.partial(serve, app, listener, heartbeat.beat), close, heartbeat)

    return [child(f"web-{number}") for number in range(1, PROCESSES + 1)]


def _set_up_log(name: str, settings: Settings) -> None:
    logs.set_up(name, settings.log)
    for sentence in unknown_variables():
        log.warning("%s", sentence)


def _say(line: str) -> None:
    """Log a line for the person who starts the appliance: a sentence without fields."""
    logging.getLogger("webhooks").info("%s", line)


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[int]:
    """Hold the lock that allows one appliance a data dir; yields its descriptor."""
    make_ready(settings)
    data = settings.data
    try:
        fd = try_lock(data / "appliance.lock")
        if fd is None:  # a command that looks whether somebody holds it has it for a moment
            time.sleep(_LOOK_SECONDS)
            fd = try_lock(data / "appliance.lock")
    except OSError as error:
        raise StartError(f"SPOKE_DATA_DIR={data} cannot be written: {error.strerror}.") from None
    if fd is None:
        raise StartError(
            f"SPOKE_DATA_DIR={data} is in use by another appliance. Stop that one, or set another data dir."
        )
    try:
        yield fd
    finally:
        os.close(fd)


def _start_redis(supervisor: Supervisor, settings: Settings, close: tuple[int, ...]) -> None:
    server = find_server(settings)
    path = settings.redis_socket
    config = write_config(settings)
    said = RedisLog()
    child = Child("redis", lambda: exec_server(server, config, said.into), close)
    path.unlink(missing_ok=True)
    child.start()
    until = time.monotonic() + 5
    while not _accepts(path):
        ended = child.pid and os.waitpid(child.pid, os.WNOHANG)[0]
        if ended or time.monotonic() > until:
            if not ended:
                child.signal(9)
            said.pass_on()
            named = f"SPOKE_REDIS_SERVER={server}" if settings.redis_server else str(server)
            raise StartError(
                f"The embedded Redis server did not start ({named}): set SPOKE_REDIS_SERVER to another, or "
                "REDIS_URL."
            )
        time.sleep(0.01)
    _say(f"Redis: {server.name} from {server.parent}")
    supervisor.last = child
    supervisor.listeners[said.out] = said.pass_on


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


class _Announcement:
    """Announces once, with the address, that the appliance is ready."""

    def __init__(self, settings: Settings, started: float) -> None:
        self._settings, self._started = settings, started
        self._said = False

    def __call__(self) -> None:
        if self._said:
            return
        ready = self._ready()
        waited = time.monotonic() - self._started
        if not ready and waited <= _START_SECONDS:
            return
        self._said = True
        if not ready:
            log.warning("not ready; /readyz names what is missing", extra={"waited_s": round(waited)})
        if self._settings.wildcard_host and not self._settings.public_url:
            log.warning(
                "SPOKE_PUBLIC_URL is not set: receivers may not know the address that links start with",
                extra={"url": self._settings.base_url},
            )
        _say(f"Ready after {waited:.1f} s: {self._settings.base_url}  (Ctrl-C stops)")

    def _ready(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._settings.own_url}/readyz", timeout=0.5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
