"""Recording what a phone system says, for a replay: over a connection of its own."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Final, TextIO

from webhooks.errors import Invalid, PbxProblem
from webhooks.outbound.pbx_link import Account, Link
from webhooks.services.pbx_systems import LiveSystem

_TICK_S: Final = 0.2
_PING_S: Final = 10.0


def record(system: LiveSystem, account: Account, path: Path, stop: threading.Event) -> int:
    """Write every event to a new file until ``stop``, one JSON object a line. Returns how many it wrote.

    A line is ``{"ms": 410.2, "event": [[key, value], …]}``: the message as it came, and its time since the
    start.

    Raises:
        PbxProblem: it cannot be reached, or the connection broke. The file has what came before.
        Invalid: the file is there already, or cannot be written.
    """
    try:
        # A recording has people's numbers in it.
        file = open(path, "x", encoding="utf-8", opener=_private)  # noqa: SIM115
    except OSError as error:
        raise Invalid(f"{path} cannot be made: {error.strerror}. Name a new file.") from None
    with file:
        link = system.link(account)
        try:
            return _write(system, link, file, stop)
        finally:
            link.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(system: LiveSystem, link: Link, file: TextIO, stop: threading.Event) -> int:
    framer, count = system.dialect.framer(), 0
    began_s = pinged_s = time.monotonic()
    while not stop.is_set():
        data = link.receive(_TICK_S)
        now_s = time.monotonic()
        if data is None:
            raise PbxProblem(f"{system.title} ended the connection. The file has what came before.")
        for raw in framer.feed(data):
            event = system.dialect.event(raw)
            if event is not None:
                line = {"ms": round((now_s - began_s) * 1000, 1), "event": system.dialect.decode(event)}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        file.flush()
        if now_s - pinged_s >= _PING_S:
            link.ping()
            pinged_s = now_s
    return count
