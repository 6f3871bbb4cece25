"""What becomes of a media event's text: the link in it, and the sentence what is wrong with its recording."""

import json
from collections.abc import Iterator
from typing import Final

from webhooks.media.transcode import TYPE

# The intake writes these members, in this order, behind members whose values are texts; inside a text every
# quotation mark has a backslash before it. So the first place where this stands is the place.
_NO_LINK: Final = ',"attachments":null'


def with_link(body: str, link: str) -> str:
    """The event's JSON with the download link."""
    return body.replace(_NO_LINK, f',"attachments":{json.dumps(link)}', 1)


def with_error(body: str, sentence: str) -> str:
    """The event's JSON with an ``error`` at its end. One of the PBX's own makes room, however it is spelt:
    one key must not stand there twice. All else stays as it is written."""
    members = [text for key, text in _members(body) if key != "error"]
    return "{" + ",".join([*members, f'"error":{json.dumps(sentence, ensure_ascii=False)}']) + "}"


def _members(body: str) -> Iterator[tuple[str, str]]:
    """The key and the whole text of each member of an event; the intake writes nothing between them."""
    read = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode  # a number of any length
    at = 1
    while body[at - 1] != "}":
        key, colon = read(body, at)
        end = read(body, colon + 1)[1]
        yield key, body[at:end]
        at = end + 1


def media_fields(filename: str) -> dict[str, str | None]:
    """The seed's three, in its order."""
    return {"filename": filename, "content_type": TYPE, "attachments": None}
