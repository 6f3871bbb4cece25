"""``/healthz``: this process answers. ``/readyz``: what deliveries need is there."""

import tempfile
from typing import Final

import redis
from flask import Blueprint, Response, jsonify

from webhooks.dispatcher.liveness import Liveness
from webhooks.errors import ReadFailed
from webhooks.outbox.wakeup import quick_redis
from webhooks.services.container import services
from webhooks.web.shared.access import public
from webhooks.web.shared.problems import problem

_ROOM: Final = 64 << 10  # bytes; what a commit of a few events may want

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
    """The database, and the workers, which it knows."""
    try:
        with services().store.read() as session:
            if not Liveness(services().settings, services().store).running(session.connection()):
                return "No delivery worker runs."
    except ReadFailed:
        return "The database cannot be reached."
    return None


def _disk() -> str | None:
    """Whether an event could be written down: by writing: what is free does not say it."""
    if not services().store.sqlite:
        return None
    folder = services().settings.sqlite_file.parent
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            return None if probe.write(bytes(_ROOM)) == _ROOM else f"The disk that holds {folder} is full."
    except OSError as error:
        return f"The disk cannot be written: {error.strerror} ({folder})."


def _redis() -> str | None:
    try:
        with quick_redis(services().settings) as connection:
            connection.ping()
    except redis.RedisError:
        return "Redis cannot be reached; deliveries go on, up to half a second later."
    return None
