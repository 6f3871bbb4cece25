"""Gunicorn's configuration for the appliance's web half."""

import logging
from pathlib import Path
from typing import Any

from gunicorn import glogging

from webhooks.operate import children, logs
from webhooks.operate.waiting_room import PatientWorker
from webhooks.settings import load_settings

_settings = load_settings()


def _without_quotes(record: logging.LogRecord) -> bool:
    """Of a request that is no HTTP gunicorn quotes a piece, which may be a token: only the kind is told."""
    text = record.getMessage()
    if text.startswith("Invalid request"):
        record.msg, record.args = ": ".join(text.split(": ")[:2]), ()
    return True


class _Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's lines in the form of all others, on standard output."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        logs.set_up("web", _settings.log)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")
        self.error_log.addFilter(_without_quotes)


logger_class = _Logger

workers = 2
threads = 10  # three uploads, two downloads and three slow test inboxes may hold eight: two are for the hook
worker_class = PatientWorker
preload_app = True
control_socket_disable = True
timeout = 60
graceful_timeout = 10
keepalive = 75
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
forwarded_allow_ips = ""
proc_name = "spoke-web"


def post_fork(_server: Any, _worker: Any) -> None:
    """A web process must not outlive its master."""
    children.die_with_parent()
