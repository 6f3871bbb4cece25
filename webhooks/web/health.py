"""``/healthz``: this process answers. ``/readyz``: what deliveries need is there."""

import redis
from flask import Blueprint, Response, jsonify

from webhooks.delivery.ownership import Ownership
from webhooks.delivery.wakeup import quick_redis
from webhooks.errors import Busy
from webhooks.web.access import public
from webhooks.web.problems import problem
from webhooks.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    missing = [sentence for sentence in (_database(), _redis()) if sentence]
    if missing:
        return problem(503, " ".join(missing), {"Retry-After": "5"})
    return jsonify(status="ready")


def _database() -> str | None:
    """The database, and the workers, which it knows."""
    try:
        with services().store.read() as session:
            if not Ownership(services().settings, services().store).running(session.connection()):
                return "No delivery worker runs."
    except Busy:
        return "The database cannot be reached."
    return None


def _redis() -> str | None:
    try:
        with quick_redis(services().settings) as connection:
            connection.ping()
    except redis.RedisError:
        return "Redis cannot be reached; deliveries go on, up to half a second later."
    return None
