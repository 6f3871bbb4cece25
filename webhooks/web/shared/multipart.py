"""``multipart/form-data`` as it streams in: the file goes to the disk piece by piece, never into memory."""

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from webhooks.errors import FieldError, InvalidEvent, TooLarge, Unreadable

_MAX_PARTS: Final = 100
_FILENAME: Final = re.compile(r'(?i);[ \t]*filename[ \t]*=[ \t]*"((?:[^"\\]|\\"|\\)*)"')


@dataclass(slots=True)
class Parts:
    """The part ``event``, whether there was a part ``file``, and that file's name."""

    event: bytes | None = None
    file: bool = False
    filename: str | None = None


def receive(
    pieces: Iterable[bytes], boundary: bytes, max_event_bytes: int, write: Callable[[bytes | bytearray], None]
) -> Parts:
    """Read the parts; the file's bytes go to ``write``. Parts of other names are passed over.

    Raises:
        Unreadable: the body broke off, or is no such form. InvalidEvent: a part is there twice.
        TooLarge: the part ``event`` is.
    """
    decoder = MultipartDecoder(boundary, max_parts=_MAX_PARTS)
    parts = Parts()
    part: str | None = None
    try:
        for piece in itertools.chain(pieces, [None]):
            decoder.receive_data(piece)
            while not isinstance(happened := decoder.next_event(), NeedData):
                if isinstance(happened, Field | File):
                    part = _begin(parts, happened)
                elif isinstance(happened, Data):
                    _take(parts, part, happened.data, max_event_bytes, write)
                elif isinstance(happened, Epilogue):
                    return parts
    except ValueError:
        pass
    except RequestEntityTooLarge:
        raise Unreadable(f"The form has more than {_MAX_PARTS} parts.") from None
    raise Unreadable("The body is no whole multipart/form-data: it broke off, or its boundary is another.")


def _begin(parts: Parts, head: Field | File) -> str | None:
    name = head.name
    if name == "event":
        if parts.event is not None:
            raise InvalidEvent([FieldError("", "has the part 'event' twice: send one")])
        parts.event = b""
    elif name == "file":
        if parts.file:
            raise InvalidEvent([FieldError("", "has two files: send one part 'file'")])
        parts.file = True
        parts.filename = _filename(head) if isinstance(head, File) else None
    return name


def _filename(head: File) -> str:
    """The file's name. A Windows path comes with single backslashes: only one before a quotation mark
    escapes."""
    plain = _FILENAME.search(head.headers["content-disposition"])
    return plain[1].replace('\\"', '"').replace("%22", '"') if plain and "\\" in plain[1] else head.filename


def _take(
    parts: Parts,
    part: str | None,
    data: bytes | bytearray,
    max_event_bytes: int,
    write: Callable[[bytes | bytearray], None],
) -> None:
    if part == "file":
        write(data)
    elif part == "event":
        parts.event = (parts.event or b"") + bytes(data)
        if len(parts.event) > max_event_bytes:
            raise TooLarge(f"The part 'event' is longer than {max_event_bytes:,} bytes (SPOKE_MAX_BODY).")
