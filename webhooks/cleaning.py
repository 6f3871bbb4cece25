"""Text from outside, made fit for a database, a log line and a page: cleaned once, where it enters.

PostgreSQL takes no NUL and no lone surrogate. Escape sequences move a terminal's cursor, and bidirectional
controls (UAX 9) let a page show a text in another order than it is read.
"""

import re
from typing import Final

_MARK: Final = "\ufffd"
# C0 and C1 controls with DEL, bidirectional controls, line and paragraph separators, surrogates, what is no
# character at all, and the byte order mark.
_UNFIT: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_SPACES: Final = str.maketrans("\t\n\v\f\r\x85\u2028\u2029", " " * 8)
_LINE_ENDS: Final = re.compile("\r\n?|[\x85\u2028\u2029]")
_UNFIT_IN_LINES: Final = re.compile(rf"(?![\t\n]){_UNFIT.pattern}")


def clean(text: str) -> str:
    """One line: white space that breaks lines becomes a blank, every other control U+FFFD."""
    return text if text.isascii() and text.isprintable() else _UNFIT.sub(_MARK, text.translate(_SPACES))


def clean_lines(text: str) -> str:
    """Lines, as of a response's body: tabs and line ends stay, the latter as newlines."""
    if text.isascii() and text.isprintable():
        return text
    return _UNFIT_IN_LINES.sub(_MARK, _LINE_ENDS.sub("\n", text))


def fit(text: str) -> bool:
    """Whether there is nothing in it that ``clean`` would take out."""
    return _UNFIT.search(text) is None
