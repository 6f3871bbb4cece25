"""``/healthz``: this process responds. ``/readyz``: all that deliveries need is there."""

import tempfile
from typing import Final

import redis
from flask import Blueprint, Response, jsonify

from webhooks.errors import ReadFailed
from webhooks.outbox.wakeup import quick_redis
from webhooks.services.container import services
from webhooks.web.shared.access import public
from webhooks.web.shared.problems import problem

_PROBE_BYTES: Final = 64 << 10  # what a commit of a few events may want

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    missing = [sentence for sentence in (_database(), _disk(), _redis()) if sentence]
    if missing:
        return problem(503, " ".join(missing), {"Retry-After": "5"})
    return jsonify(status="ready")


def _database() -> str | None:
    """A sentence if the database cannot be read, or knows of no worker that runs."""
    try:
        if not services().system.workers():
            return "No delivery worker runs."
    except ReadFailed:
        return "The database cannot be reached."
    return None


def _disk() -> str | None:
    """A sentence if no event could be written. Only writing shows it: free space may be another user's."""
    if not services().store.sqlite:
        return None
    folder = services().settings.sqlite_file.parent
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            written = probe.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return f"The disk cannot be written: {error.strerror} ({folder})."
    return None if written == _PROBE_BYTES else f"The disk that holds {folder} is full."


def _redis() -> str | None:
    try:
        with quick_redis(services().settings) as connection:
            connection.ping()
    except redis.RedisError:
        return "Redis cannot be reached; deliveries go on, up to half a second later."
    return None
