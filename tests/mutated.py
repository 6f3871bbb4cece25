"""Requests with faults: good ones, changed at random, for every door that a stranger or a PBX reaches."""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator

from appliance import Appliance, eventually
from media import sounds
from receiver import Receiver

# RFC 9110 and 9112 want them for an unknown transfer coding and an unknown version: no fault of a server's.
_TOLD_SO = {501, 505}
_PIECES = [
    b"", b"\0", b"\xff", b"\xed\xa0\x80", b"%00", b"%ff", b"\\ud83d", b"\\u0000", b"{", b"[" * 100, b'"',
    b",", b":", b"=", b"&", b"NaN", b"1e999", b"-1", b"9" * 5000, b"null", b"true", b"\r", b" ", b";", b"?",
    b"/", b"..", "\uff1d\U0001f600\xfc".encode(), b"gzip", b"v1", b"v1,", b"bytes=" + b"9" * 4400 + b"-",
    b"charset=klingon", b"1700000000.5",
]  # fmt: skip


def _request(line: str, body: bytes, *headers: str) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: pbx", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def templates(token: str, inbox: str, link: str) -> list[bytes]:
    """Good requests, whose parts are changed."""
    bearer = f"Authorization: Bearer {token}"
    call = {"id": "17", "type": "incoming_call", "subtype": "ringing", "from": "+49301", "timestamp": 1.7e9}
    event = json.dumps(call).encode()
    form = b"type=voicemail&id=1732551234.57&from=+49301&to_name=J%FCrgen&timestamp=1700000000.5"
    kind = "Content-Type: application/json"
    parts = (
        b'--b\r\nContent-Disposition: form-data; name="event"\r\n\r\n{"type": "voicemail", "id": "17"}\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + sounds.wav(8000, [sounds.speech(8000, 0.2)])
        + b"\r\n--b--\r\n"
    )
    now = int(time.time())
    return [
        _request("POST /api/events", event, bearer, kind),
        _request("POST /api/events", b"[%s,%s]" % (event, event), bearer, kind),
        _request(f"POST /api/events/t/{token}?x=1", form,
                 "Content-Type: application/x-www-form-urlencoded; charset=iso-8859-1"),
        _request("POST /api/media", parts, bearer, "Content-Type: multipart/form-data; boundary=b"),
        _request("POST /api/media", b'{"type": "voicemail", "media_path": "/x"}', bearer, kind),
        _request(f"POST /inbox/{inbox}", event, kind, "webhook-id: 17", f"webhook-timestamp: {now}",
                 "webhook-signature: v1,AAAA"),
        _request(f"GET {link}", b"", "Range: bytes=0-9", 'If-Range: "x"', "Cookie: spoke_session=x"),
        _request("GET /deliveries?before=17&state=failed", b"", "Accept: text/html", "HX-Request: true"),
        _request("POST /theme", b"theme=dark", "Content-Type: application/x-www-form-urlencoded",
                 "Origin: http://pbx", "X-Forwarded-For: 1.2.3.4"),
    ]  # fmt: skip


def change(request: bytes, dice: random.Random) -> bytes:
    """A request with one to three faults; its length is right again half of the time."""
    head, _, body = request.partition(b"\r\n\r\n")
    for _ in range(dice.randint(1, 3)):
        if body and dice.random() < 0.6:
            body = _spoil(body, dice)
        else:  # behind the request line's method, so that most still come to a door of ours
            at = head.index(b" ") + 1
            head = head[:at] + _spoil(head[at:], dice)
    if dice.random() < 0.5:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])
    return head + b"\r\n\r\n" + body


def _spoil(text: bytes, dice: random.Random) -> bytes:
    at, until = sorted(dice.randint(0, len(text)) for _ in range(2))
    until = min(until, at + dice.choice([0, 1, 4, 16]))
    return text[:at] + dice.choice([*_PIECES, text[at:until] * 2, dice.randbytes(3)]) + text[until:]


def _answer(port: int, request: bytes) -> int:
    """The status; 0 for a connection that was closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=40) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            got = connection.recv(4096)
        except (ConnectionError, BrokenPipeError):
            return 0
    return int(got[9:12]) if got.startswith(b"HTTP/1.") and got[9:12].isdigit() else 0


def mutations(token: str, inbox: str, link: str, count: int, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    good = templates(token, inbox, link)
    for _ in range(count):
        yield change(dice.choice(good), dice)


def attack(
    appliance: Appliance, receiver: Receiver, place: tuple[str, str], count: int, seed: int
) -> Counter[int]:
    """Send so many; the answers by their status.

    Fails on a 5xx, a process that died, an event behind them that does not arrive within ten seconds.
    """
    name, token = place
    inboxes = appliance.app.extensions["spoke"].inboxes
    inbox = inboxes.add()
    appliance.webhook(name, inboxes.address(inbox))
    link = "/api/media/download/ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9?expires=9999999999&signature=x"
    before = {process.pid for process in appliance.family()}
    seen: Counter[int] = Counter()
    for request in mutations(token, inbox.id, link, count, seed):
        status = _answer(appliance.port, request)
        seen[status] += 1
        assert status < 500 or status in _TOLD_SO, f"seed {seed}: {status} for {request[:3000]!r}"
    assert before <= {process.pid for process in appliance.family()}, f"seed {seed}: a process died"
    assert inbox.id not in appliance.log and token not in appliance.log
    appliance.webhook(name, receiver.url("/behind"), type="outgoing_call")
    assert appliance.event(token, type="outgoing_call", subtype="ended").status_code == 202
    eventually(lambda: receiver.wait("/behind"), seconds=10)
    inboxes.delete(inbox.id)
    return seen
