"""Where a PBX's token stands in a request, and whose it is."""

import contextlib
import uuid

from flask import request

from webhooks.errors import Unauthorised
from webhooks.services.container import services
from webhooks.tokens import token_hash


def sender(path_token: str | None) -> tuple[bytes, uuid.UUID]:
    """The hash of whichever token was given that a location has, and the namespace of its ids.

    Raises:
        Unauthorised: none, or none that is known. LocationPaused: it takes no events now.
    """
    given = _tokens(path_token)
    for token in given:
        with contextlib.suppress(Unauthorised):
            return token_hash(token), services().intake.namespace(token_hash(token))
    raise Unauthorised(
        "No location has this token; look whether it was rotated."
        if given
        else "Give the location's token: Authorization: Bearer TOKEN, or as the password of HTTP Basic, "
        "or ?token=TOKEN, or POST /api/events/t/TOKEN."
    )


def _tokens(path_token: str | None) -> list[str]:
    authorization = request.authorization
    header = None
    if authorization is not None:
        header = authorization.token if authorization.type == "bearer" else authorization.password
    # A PBX may append "?uuid=…" to an address that has a query already.
    query = request.args.get("token", "").partition("?")[0]
    return [token for token in (header, path_token, query) if token]
