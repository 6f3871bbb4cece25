"""``GET /api/media/download/ID``: where the links in payloads lead (contract, section 3)."""

import re
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from webhooks.errors import LinkForbidden
from webhooks.media.filenames import disposition
from webhooks.media.transcode import TYPE
from webhooks.services.container import services
from webhooks.services.recordings import Download
from webhooks.web.shared.access import public
from webhooks.web.shared.problems import problem

blueprint = Blueprint("download", __name__)
_RANGE: Final = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.ASCII)


@blueprint.get("/api/media/download/<media_id>")
@public
def get(media_id: str) -> Response:
    found = services().recordings.open(media_id, _once("expires"), _once("signature"))
    prefix = services().settings.x_accel_prefix
    response = Response(mimetype=TYPE)
    response.headers["Content-Disposition"] = disposition(found.filename)
    response.headers["Cache-Control"] = "private"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if prefix:
        response.headers["X-Accel-Redirect"] = prefix + found.relative
        return response
    return _conditional(response, found)


def _once(name: str) -> str:
    values = request.args.getlist(name)
    if len(values) != 1:
        raise LinkForbidden(f"This link is not one of ours: it has {name} {len(values)} times, not once.")
    return values[0]


def _conditional(response: Response, found: Download) -> Response:
    """With ETag, Range and If-Range (RFC 9110), by Werkzeug."""
    response.set_etag(found.media_id)
    response.last_modified = found.made_at
    environ = dict(request.environ)
    if not _RANGE.fullmatch(environ.get("HTTP_RANGE", "").strip()):
        environ.pop("HTTP_RANGE", None)  # none, several, or nonsense: the whole is a right answer, too
    try:
        response.make_conditional(environ, accept_ranges=True, complete_length=found.size)
    except RequestedRangeNotSatisfiable:
        detail = f"The recording has {found.size:,} bytes; the range is outside of it."
        return problem(416, detail, {"Content-Range": f"bytes */{found.size}", "Accept-Ranges": "bytes"})
    if response.status_code == 304:
        return response
    begin, length = 0, found.size
    if response.status_code == 206:
        begin = response.content_range.start or 0
        length = (response.content_range.stop or found.size) - begin
    response.content_length = length
    if request.method != "HEAD":
        file = found.path.open("rb", buffering=0)
        file.seek(begin)
        # The server's own wrapper: sendfile(2) without a thread; our bytes do not pass through Python.
        response.response = wrap_file(request.environ, file, 1 << 16)
        response.direct_passthrough = True
    return response
