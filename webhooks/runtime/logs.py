"""Log lines of all our processes: time, process, what. Standard output only; never a token."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

from webhooks.cleaning import clean, clean_lines

_TOKENS: Final = re.compile(
    r"((?:[?&](?:token|signature)=|/(?:events|media)/t/|/inbox(?:es)?/)[^\s&\"'?#]{0,6})[^\s&\"'?#]*"
)


def redact(text: str) -> str:
    """Cut tokens in addresses down to their first six characters."""
    return _TOKENS.sub(r"\1…", text)


class _Text(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        mark = "" if record.levelno <= logging.INFO else f"{record.levelname}: "
        # An exception's text may quote a peer; a message is one line whatever is in it.
        trace = f"\n{clean_lines(self.formatException(record.exc_info))}" if record.exc_info else ""
        return redact(f"{at}Z {self._process} {mark}{clean(record.getMessage())}{trace}")


class _Json(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "process": self._process,
            "level": record.levelname.lower(),
            "message": clean(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = clean_lines(self.formatException(record.exc_info))
        return redact(json.dumps(line, ensure_ascii=False))


def set_up(process: str, form: str) -> None:
    """Send all log records of this process to standard output, as ``text`` or ``json`` lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json(process) if form == "json" else _Text(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # A connection to a database that has gone is thrown away; whoever used it tells of it in a line.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
