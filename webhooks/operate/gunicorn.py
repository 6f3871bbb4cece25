"""Gunicorn's configuration for the appliance's web half."""

import ctypes
import os
import signal
from pathlib import Path
from typing import Any

from webhooks.settings import load_settings

_settings = load_settings()

workers = 2
threads = 8
worker_class = "gthread"
preload_app = True
control_socket_disable = True
timeout = 60
graceful_timeout = 10
keepalive = 75
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
forwarded_allow_ips = ""
proc_name = "spoke-web"


def post_fork(_server: Any, _worker: Any) -> None:
    """A web process must not outlive its master: the kernel sees to it (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.environ["SPOKE_PROCESS"] = "web"
