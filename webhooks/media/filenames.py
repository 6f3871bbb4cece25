"""File names as people see them: sent in payloads and headers, and never used as a path."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

_MAX_STEM: Final = 200  # characters
# "at 5.30" has none, nor has "Call with J.Smith".
_EXTENSION: Final = re.compile(
    r"\.([a-z][a-z0-9]{1,3}|[A-Z][A-Z0-9]{1,3}"
    r"|(?i:3gp|wave?|wav49|mp3|m4a|ogg|oga|opus|flac|spx|gsm|[au]-?law|sln\d*|g72\d|aiff?|webm))$"
)
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories of what has no glyph
_PLAIN: Final = re.compile(r"[^ -~]|[\"\\%]")  # what a quoted string cannot carry in every client (RFC 6266)


def clean(name: str | None, fallback: str) -> str:
    """Return the last path element without control characters, its extension made ``.mp3``.

    ``fallback`` is the stem where nothing is left.
    """
    text = re.split(r"[/\\]", name or "")[-1]
    text = "".join(letter for letter in text if unicodedata.category(letter) not in _UNSEEN).strip()
    stem = _EXTENSION.sub("", text)[:_MAX_STEM].strip()
    return f"{stem if stem.strip('.') else fallback}.mp3"


def disposition(name: str) -> str:
    """Make a Content-Disposition with the name in ASCII, and in UTF-8 where ASCII is not enough."""
    plain = _PLAIN.sub("_", unicodedata.normalize("NFKD", name).encode("ascii", "replace").decode())
    header = f'attachment; filename="{plain}"'
    if plain != name:
        header += f"; filename*=UTF-8''{quote(name, safe='')}"
    return header
