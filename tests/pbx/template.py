"""Calls without end: a recorded one, written again and again with ids of its own."""

import gzip
import json

from ami_server import written
from pbx.replaying import LAB

CLASSES = {"system", "call", "agent", "dialplan", "user"}  # what our user reads


class Template:
    """A recorded call that is written again and again with ids of its own, in ``pieces`` over time."""

    def __init__(self, course: str, pieces: int = 8) -> None:
        lines = gzip.decompress((LAB / "22" / f"{course}.jsonl.gz").read_bytes()).decode().splitlines()
        events = [line["event"] for line in map(json.loads, lines) if "event" in line]
        mine = [event for event in events if CLASSES & set(dict(event).get("Privilege", "").split(","))]
        # FullyBooted would say that Asterisk was started anew.
        mine = [event for event in mine if event[0][1] != "FullyBooted"]
        self.messages = len(mine)
        ids = sorted(
            {value for event in mine for key, value in event if key.endswith(("Uniqueid", "Linkedid"))}
        )
        self._ids = [id_.encode() for id_ in ids]
        whole = [written([(key, value) for key, value in event]) for event in mine]
        size = -(-len(whole) // pieces)
        self._pieces = [b"".join(whole[start : start + size]) for start in range(0, len(whole), size)]

    def call(self, number: int) -> list[bytes]:
        """The call's pieces. Its ids are unlike those of any other number."""
        pieces = self._pieces
        for index, id_ in enumerate(self._ids):
            own = f"18{number:08d}.{index}".encode()
            pieces = [piece.replace(id_, own) for piece in pieces]
        return pieces
