"""Reader of forms: their fields as the members of an event, and what a form's coding did to them undone."""

import re
from typing import Final
from urllib.parse import parse_qsl

from webhooks.errors import FieldError, InvalidForm, Unreadable, Unsupported
from webhooks.events.strict_json import Member, Members, unsendable

_MADE: Final = ("id", "thread_id", "timestamp")  # made where absent; a PBX's template sends them empty
_NUMBERS: Final = ("from", "to")
_LOST_PLUS: Final = re.compile(r" (?=[0-9])")  # "+49" that was not written as %2B49
# Charsets that leave a form's own signs as they are. Python has codecs that do not, or are no charsets.
_CHARSET: Final = re.compile(
    r"utf-?8|(us-)?ascii|latin-?1|iso-8859-([1-9]|1[013456])|windows-125[0-8]|cp125[0-8]|koi8-[ru]"
    r"|gb2312|gbk|gb18030|big5|shift_jis|euc-jp|euc-kr",
    re.IGNORECASE | re.ASCII,
)


def read_form(body: bytes, charset: str) -> Members:
    """Read ``application/x-www-form-urlencoded``.

    Raises:
        Unsupported: an unknown charset. Unreadable: bytes that are not in it, or too many fields.
        InvalidForm: a field twice, or with a text that cannot be passed on.
    """
    if not _CHARSET.fullmatch(charset):
        raise Unsupported(f"The charset {charset[:40]!r} is not known here: send the form as utf-8.")
    if body.lstrip()[:1] in (b"{", b"["):
        raise InvalidForm(
            [FieldError("", "looks like JSON: send it with the header Content-Type: application/json")]
        )
    try:
        pairs = parse_qsl(
            body.decode(charset), keep_blank_values=True, encoding=charset, errors="strict",
            max_num_fields=1000,
        )  # fmt: skip
    except ValueError:  # UnicodeDecodeError is one
        raise Unreadable(f"The body is not a form in {charset} of at most 1,000 fields.") from None
    members: Members = {}
    for key, value in pairs:
        if key in members:
            raise InvalidForm([FieldError(key, "is given twice")])
        fault = unsendable(key) or unsendable(value)
        if fault:
            raise InvalidForm([FieldError(key.replace("\0", "?"), fault)])
        if value or key not in _MADE:
            members[key] = Member.of(key, _LOST_PLUS.sub("+", value, 1) if _lost(key, value) else value)
    return members


def _lost(key: str, value: str) -> bool:
    return key in _NUMBERS and _LOST_PLUS.match(value) is not None
