"""A busy phone system: 200 recorded calls a second, in chunks that cut characters, and no patience."""

import random
import select
import socket
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from ami_server import SECRET, AmiServer
from appliance import Appliance, eventually
from asterisk import state
from hypothesis import settings
from pbx.template import Template

CALLS_A_SECOND = 200
SECONDS = 20 if settings.get_current_profile_name() == "soak" else 8  # --hypothesis-profile=soak
WRITE_TIMEOUT_S = 0.1  # Asterisk's own, after which it cuts off who does not read
SPREAD_S = 1.5  # a call's messages, from the first to the last


class Busy:
    """What the server sends; ``cut_off`` says that the reader was too slow for Asterisk."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self.cut_off = False
        self.sent = 0
        self.done = threading.Event()

    def __call__(self, link: socket.socket) -> None:
        due: dict[int, list[bytes]] = {}
        chance = random.Random(14)
        step_s = 1 / CALLS_A_SECOND
        began_s = time.monotonic()
        rest = b""
        for step in range(int((SECONDS + SPREAD_S + 1) / step_s)):
            if step < CALLS_A_SECOND * SECONDS:
                pieces = self._template.call(step)
                for index, piece in enumerate(pieces):
                    due.setdefault(step + int(index * SPREAD_S / len(pieces) / step_s), []).append(piece)
            rest += b"".join(due.pop(step, []))
            cut = len(rest) - chance.randrange(40) if due else len(rest)
            if not self._send(link, rest[: max(cut, 0)]):
                break
            rest = rest[max(cut, 0) :]
            time.sleep(max(0.0, began_s + step * step_s - time.monotonic()))
        self.done.set()

    def _send(self, link: socket.socket, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            if not select.select([], [link], [], WRITE_TIMEOUT_S)[1]:
                self.cut_off = True
                return False
            sent = link.send(view[:65536], socket.MSG_DONTWAIT)
            self.sent += sent
            view = view[sent:]
        return True


@pytest.mark.parametrize("course", ["caller_name_utf8"])
@pytest.mark.databases("one")
def test_200_calls_a_second_are_read_without_loss_and_memory_stays_flat(
    start_appliance: Callable[..., Appliance], course: str
) -> None:
    busy = Busy(Template(course))
    server = AmiServer(busy)
    one = start_appliance()
    one.location("Office")
    one.invoke(
        "pbx", "connect", "Office", "asterisk", "--host", "127.0.0.1", "--port", server.port,
        "--user", "spoke", input=f"{SECRET}\n",
    )  # fmt: skip
    eventually(lambda: busy.sent > 0, 20)
    (process,) = one.named("spoke: pbx")
    memory = psutil.Process(process.pid)
    wanted = CALLS_A_SECOND * SECONDS

    def counts() -> dict[str, int]:
        rows = one.rows("SELECT subtype, count(*) FROM event GROUP BY subtype")
        return {str(subtype): int(count) for subtype, count in rows}

    eventually(lambda: counts().get("ringing", 0) >= wanted / 4, 60, every=0.1)  # by then it is warm
    early_bytes = memory.memory_info().rss
    assert busy.done.wait(SECONDS * 4)
    late_bytes = memory.memory_info().rss
    assert not busy.cut_off and server.logins == 1, one.log
    eventually(lambda: counts().get("ended") == wanted, 60, every=0.5)
    assert counts() == {"ringing": wanted, "answered": wanted, "ended": wanted}, one.log
    (body,) = one.rows("SELECT body FROM event WHERE subtype = 'ended' ORDER BY id DESC LIMIT 1")[0]
    assert "ü" in body or "é" in body or "ß" in body or "ö" in body, body
    assert state(one, "Office")["state"] == "connected" and server.logins == 1
    assert (process.pid,) == tuple(now.pid for now in one.named("spoke: pbx"))
    grown = (late_bytes - early_bytes) / 2**20
    used_s = sum(memory.cpu_times()[:2])
    print(f"{busy.sent / 2**20:.0f} MiB, {grown:+.1f} MiB of memory, {late_bytes / 2**20:.0f} in all, "
          f"{used_s:.1f} s of processor")  # fmt: skip
    assert grown < 4 * SECONDS, f"{grown:.0f} MiB in {SECONDS} seconds"
    server.close()
