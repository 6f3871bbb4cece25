"""The location's token in a request: where it stands, and which location has it."""

import contextlib
import uuid
from typing import NamedTuple

from flask import request

from webhooks.errors import Unauthorised
from webhooks.services.container import services
from webhooks.tokens import token_hash


class Credential(NamedTuple):
    """What a location proved itself with, and the namespace of its events' ids.

    Not the location itself: the intake looks it up by the hash again, in the event's own transaction, so that
    a token that is rotated meanwhile stores nothing.
    """

    token_hash: bytes
    namespace: uuid.UUID


def authenticate_location(path_token: str | None) -> Credential:
    """Find the location whose token the request carries.

    Raises:
        Unauthorised: no token, or one that no location has. LocationPaused: the location takes no events now.
    """
    given = given_tokens(path_token)
    for token in given:
        hashed = token_hash(token)
        with contextlib.suppress(Unauthorised):
            return Credential(hashed, services().intake.namespace(hashed))
    raise Unauthorised(
        "No location has this token; look whether it was rotated."
        if given
        else "Give the location's token: Authorization: Bearer TOKEN, or as the password of HTTP Basic, "
        "or ?token=TOKEN, or POST /api/events/t/TOKEN."
    )


def given_tokens(path_token: str | None) -> list[str]:
    """Return the tokens that a request brings: in its header, its path, its query."""
    authorization = request.authorization
    header = None
    if authorization is not None:
        header = authorization.token if authorization.type == "bearer" else authorization.password
    # A PBX may append "?uuid=…" to an address that has a query already.
    query = request.args.get("token", "").partition("?")[0]
    return [token for token in (header, path_token, query) if token]
