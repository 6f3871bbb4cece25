"""How a soak begins: what it was asked for, and an appliance, a receiver and a location of its own."""

import argparse
import contextlib
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from appliance import Appliance, Place, PostgreSQL
from receiver import Receiver


class Started(NamedTuple):
    appliance: Appliance
    receiver: Receiver
    place: Place
    folder: Path


def read_arguments(description: str | None, count: int) -> argparse.Namespace:
    """Read how many, the seed and the database from the command line, and print the seed."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=count)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    return given


@contextlib.contextmanager
def started(given: argparse.Namespace) -> Iterator[Started]:
    """Start them; nothing is left afterwards, nor when the soak is ended from outside."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spoke-")))
        url = ""
        if given.postgresql:
            server = PostgreSQL()
            stack.callback(server.close)
            url = server.new()
        appliance, receiver = Appliance(folder, DATABASE_URL=url), Receiver()
        stack.callback(receiver.close)
        stack.callback(appliance.end)
        yield Started(appliance, receiver, ("Office", appliance.location("Office")), folder)
