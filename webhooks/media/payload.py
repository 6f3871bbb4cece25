"""What becomes of a media event's text: the link in it, or the sentence why there is none."""

import json
from typing import Final

from webhooks.media.audio import TYPE

# The intake writes these members, in this order, behind members whose values are texts; inside a text every
# quotation mark has a backslash before it. So the first place where this stands is the place.
_NO_LINK: Final = ',"attachments":null'


def with_link(body: str, link: str) -> str:
    """The event's JSON with the download link."""
    return body.replace(_NO_LINK, f',"attachments":{json.dumps(link)}', 1)


def with_error(body: str, sentence: str) -> str:
    """The event's JSON without a recording, and with an ``error`` at its end."""
    if '"error"' in body:  # a field of the PBX's own, perhaps: one key must not stand there twice
        return json.dumps({**json.loads(body), "error": sentence}, ensure_ascii=False, separators=(",", ":"))
    return f'{body[:-1]},"error":{json.dumps(sentence, ensure_ascii=False)}}}'


def media_fields(filename: str) -> dict[str, str | None]:
    """The seed's three, in its order."""
    return {"filename": filename, "content_type": TYPE, "attachments": None}
