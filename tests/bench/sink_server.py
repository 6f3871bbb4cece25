"""The receiver's process: a keep-alive HTTP server that costs little and records what comes.

What is posted to ``/now/…`` is answered at once, to ``/slow/…`` after 100 ms, to ``/hang/…`` never.
``GET /-/count/KIND`` and ``GET /-/arrivals/KIND`` tell of it. Prints its port when it listens.
"""

import asyncio
import gc
import json
import re
import time
from collections import defaultdict
from typing import Final

SLOW_SECONDS: Final = 0.1
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID: Final = re.compile(rb"\r\nwebhook-id: *([^\r]+)", re.IGNORECASE)
_STAMP: Final = re.compile(rb'"sent_ns": ?(\d+)')


class Record:
    """What came, by kind (the path's first part): path, arrival and stamp in monotonic ns (stamp 0: none)."""

    def __init__(self) -> None:
        self.arrivals: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        self.messages: dict[str, set[tuple[str, bytes]]] = defaultdict(set)

    def note(self, path: str, head: bytes, body: bytes) -> str:
        kind = path.split("/", 2)[1]
        stamp = _STAMP.search(body)
        self.arrivals[kind].append((path, time.monotonic_ns(), int(stamp[1]) if stamp else 0))
        message = _ID.search(head)
        if message:
            self.messages[kind].add((path, message[1]))
        return kind

    def tell(self, question: str, kind: str) -> object:
        if question == "count":
            return len(self.arrivals[kind])
        return {"arrivals": self.arrivals[kind], "messages": len(self.messages[kind])}


class Connection(asyncio.Protocol):
    """One client's connection. Bodies come with a Content-Length; none of our clients chunks."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[: end + 2]
            length = _LENGTH.search(head)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < total:
                return
            body = self._buffer[end + 4 : total]
            self._buffer = self._buffer[total:]
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        path = head[: head.index(b"\r")].split(b" ")[1].decode("ascii")
        if path.startswith("/-/"):
            text = json.dumps(self._record.tell(*path.split("/")[2:4])).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            return
        kind = self._record.note(path, head, body)
        if kind == "now":
            self._transport.write(_OK)
        elif kind == "slow":
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._transport.write, _OK)


async def main() -> None:
    record = Record()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(record), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    gc.disable()  # nothing here goes in circles, and a collection of all records would show as latency
    asyncio.run(main())
