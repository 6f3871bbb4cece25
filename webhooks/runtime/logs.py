"""Log lines of all processes, on standard output: an event and its fields, as text or as JSON.

A call names an event and passes its fields the standard library's way,
``log.warning("webhook disabled", extra={"webhook": 3, "reason": reason})``. The records of libraries take the
same steps: collect the fields, redact them, render them.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from webhooks.cleaning import clean, clean_lines

Fields = dict[str, Any]

_MASK: Final = "•••"
# What every record has: whatever else is there was passed as ``extra``. A handler may add the last two.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_SECRET_FIELDS: Final = frozenset({"password", "secret", "token", "signature", "authorization"})
_TOKEN: Final = re.compile(
    r"((?:[?&](?:token|signature)=|/(?:events|media)/t/|/inbox(?:es)?/)[^\s&\"'?#]{0,6})[^\s&\"'?#]*"
)
# Signing secrets, authorisation headers, and the password of an address such as redis://user:password@host.
_SECRET: Final = re.compile(r"\b(whsec_|(?:Bearer|Basic) +)[\w+/=.~-]{8,}|(://[^\s/:@]*:)[^\s/@]+(?=@)")
_PLAIN: Final = re.compile(r"[^\s\"=]+")


def set_up(process: str, form: str) -> None:
    """Send all log records of this process to standard output, as ``text`` or ``json`` lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Formatter(process, as_json if form == "json" else as_text))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # SQLAlchemy tells of each connection to a database that has gone; its user tells of it in one line.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


class Formatter(logging.Formatter):
    """Turn a record into a line: its fields, redacted, by ``render``."""

    def __init__(self, process: str, render: Callable[[Fields], str]) -> None:
        super().__init__()
        self._process, self._render = process, render

    def format(self, record: logging.LogRecord) -> str:
        fields: Fields = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "process": self._process,
            "level": logging.getLevelName(record.levelno).lower(),
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self._render({name: _redacted(name, value) for name, value in fields.items()})


def as_text(fields: Fields) -> str:
    """Render ``time process LEVEL: message field=value …``; a traceback follows on lines of its own."""
    at = fields.pop("time").strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    process, level, message = (fields.pop(name) for name in ("process", "level", "message"))
    mark = "" if level in ("debug", "info") else f"{level.upper()}: "
    trace = fields.pop("exception", None)
    line = " ".join([f"{at}Z {process} {mark}{message}", *(f"{k}={_quoted(v)}" for k, v in fields.items())])
    return f"{line}\n{trace}" if trace else line


def as_json(fields: Fields) -> str:
    """Render one JSON object; each field is a member of its own."""
    fields["time"] = fields["time"].isoformat(timespec="milliseconds")
    return json.dumps(fields, ensure_ascii=False)


def redact(text: str) -> str:
    """Cut tokens and signatures down to their first six characters, and secrets to nothing."""
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}{_MASK}", _TOKEN.sub(r"\1…", text))


def _redacted(name: str, value: Any) -> Any:
    """Make a field fit to be shown: without secrets, and on one line unless it is a traceback."""
    if name in _SECRET_FIELDS:
        return _MASK
    if value is None or isinstance(value, bool | int | float | datetime):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", each) for each in value]
    text = str(value)
    # An exception's text may quote a peer.
    return redact(clean_lines(text) if name == "exception" else clean(text))


def _quoted(value: Any) -> str:
    if isinstance(value, list):
        return _quoted(",".join(map(str, value)))
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
