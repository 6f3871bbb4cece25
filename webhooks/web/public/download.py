"""``GET /api/media/download/ID``: where the links in payloads lead."""

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
    recording = services().recordings.open(media_id, _once("expires"), _once("signature"))
    prefix = services().settings.x_accel_prefix
    response = Response(mimetype=TYPE)
    response.headers["Content-Disposition"] = disposition(recording.filename)
    response.headers["Cache-Control"] = "private"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if prefix:
        response.headers["X-Accel-Redirect"] = prefix + recording.relative
        return response
    return _conditional(response, recording)


def _once(name: str) -> str:
    values = request.args.getlist(name)
    if len(values) != 1:
        raise LinkForbidden(f"This link is not one of ours: it has {name} {len(values)} times, not once.")
    return values[0]


def _conditional(response: Response, recording: Download) -> Response:
    """With ETag, Range and If-Range (RFC 9110), by Werkzeug."""
    response.set_etag(recording.media_id)
    response.last_modified = recording.made_at
    environ = dict(request.environ)
    if not _RANGE.fullmatch(environ.get("HTTP_RANGE", "").strip()):
        environ.pop("HTTP_RANGE", None)  # none, several, or nonsense: the whole is a right answer, too
    try:
        response.make_conditional(environ, accept_ranges=True, complete_length=recording.size)
    except RequestedRangeNotSatisfiable:
        detail = f"The recording has {recording.size:,} bytes; the range is outside of it."
        return problem(416, detail, {"Content-Range": f"bytes */{recording.size}", "Accept-Ranges": "bytes"})
    if response.status_code == 304:
        return response
    begin, length = 0, recording.size
    if response.status_code == 206:
        begin = response.content_range.start or 0
        length = (response.content_range.stop or recording.size) - begin
    response.content_length = length
    if request.method != "HEAD":
        file = recording.path.open("rb", buffering=0)
        file.seek(begin)
        # The server's own wrapper: sendfile(2) without a thread; our bytes do not pass through Python.
        response.response = wrap_file(request.environ, file, 1 << 16)
        response.direct_passthrough = True
    return response
