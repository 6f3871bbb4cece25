"""A receiver that hangs, drips, refuses or floods takes nothing from the others."""

import gzip
import http.server
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from appliance import Appliance, Place, eventually
from receiver import Answer, Receiver


def first_attempt(appliance: Appliance, webhook: dict[str, Any]) -> dict[str, Any]:
    def found() -> Any:
        listed = appliance.cli("delivery", "list", "--webhook", webhook["id"])
        return listed and appliance.cli("delivery", "show", listed[-1]["id"])["log"]

    log: list[dict[str, Any]] = eventually(found, 20, 0.1)
    return log[0]


def drip_headers(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    _drip(handler, b"X-Slow: a\r\n")


def drip_body(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    _drip(handler, b"x")


def drip_chunks(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _drip(handler, b"1\r\nx\r\n")


def _drip(handler: http.server.BaseHTTPRequestHandler, piece: bytes) -> None:
    handler.wfile.flush()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for byte in piece:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.1)


@pytest.mark.parametrize("answer", [drip_headers, Answer(seconds=20).raw, drip_body, drip_chunks],
                         ids=["headers", "nothing", "body", "chunks"])  # fmt: skip
@pytest.mark.databases("one")
def test_no_receiver_stretches_an_attempt(
    appliance: Appliance, receiver: Receiver, place: Place, answer: Callable[..., None] | None
) -> None:
    """Neither a byte now and then nor silence; but a status that has come decides (2xx is success)."""
    # Two seconds: on a busy machine the receiver needs some of them for its status.
    webhook = appliance.webhook(place[0], receiver.url("/hook"), timeout=2)
    receiver.answers["/hook"] = [Answer(raw=answer) if answer else Answer(seconds=20)]
    appliance.ring(place[1])
    attempt = first_attempt(appliance, webhook)
    assert 1_950 <= attempt["milliseconds"] < 10_000
    if answer in (drip_headers, drip_body, drip_chunks):
        assert (attempt["status"], attempt["error"]) == (200, None)
    else:
        assert attempt["error"] == "No complete answer within 2 seconds."


@pytest.mark.databases("one")
def test_of_a_long_answer_16_kib_are_read_and_a_gzip_bomb_is_not_unpacked(
    appliance: Appliance, receiver: Receiver, place: Place
) -> None:
    flood = appliance.webhook(place[0], receiver.url("/flood"))
    receiver.answers["/flood"] = [Answer(500, body=b"y" * (8 << 20))]
    bomb = appliance.webhook(place[0], receiver.url("/bomb"))
    packed = gzip.compress(b"\0" * (20 << 20))
    receiver.answers["/bomb"] = [Answer(500, {"Content-Encoding": "gzip"}, packed)]
    appliance.ring(place[1])
    for webhook in (flood, bomb):
        assert first_attempt(appliance, webhook)["status"] == 500
        kept = appliance.rows(
            "SELECT response_body FROM attempt a JOIN delivery d ON d.id = a.delivery_id "
            "WHERE d.webhook_id = :w", w=webhook["id"],
        )  # fmt: skip
        assert 0 < len(kept[0].response_body) <= 16384


@pytest.mark.databases("one")
def test_of_many_headers_8_kib_are_kept(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    webhook = appliance.webhook(place[0], receiver.url("/headers"))
    receiver.answers["/headers"] = [Answer(500, {f"X-Much-{n}": "z" * 900 for n in range(50)})]
    appliance.ring(place[1])
    assert first_attempt(appliance, webhook)["status"] == 500
    kept = appliance.rows(
        "SELECT response_headers FROM attempt a JOIN delivery d ON d.id = a.delivery_id "
        "WHERE d.webhook_id = :w", w=webhook["id"],
    )  # fmt: skip
    assert 7_000 < len(kept[0].response_headers) < 9_000 and "cut off" in kept[0].response_headers


@pytest.mark.databases("one")
def test_nobody_there_is_said_in_a_plain_sentence(appliance: Appliance, place: Place) -> None:
    from appliance import free_port

    refused = appliance.webhook(place[0], f"http://127.0.0.1:{free_port()}/")
    unknown = appliance.webhook(place[0], "http://no-such-host.invalid/")
    plain = appliance.webhook(place[0], f"https://127.0.0.1:{appliance.port}/")
    appliance.ring(place[1])
    assert first_attempt(appliance, refused)["error"] == (
        "The receiver refused the connection: nothing listens at that address and port."
    )
    assert first_attempt(appliance, unknown)["error"] == "Could not resolve host no-such-host.invalid."
    assert first_attempt(appliance, plain)["error"].startswith(
        "The receiver does not speak TLS at this port: "
    )


@pytest.mark.parametrize(
    ("hanging", "known"),
    [
        pytest.param(20, False, id="20"),
        pytest.param(100, False, id="100", marks=pytest.mark.databases("one")),
        pytest.param(100, True, id="100 that were quick", marks=pytest.mark.databases("one")),
    ],
)
def test_receivers_that_hang_delay_nobody(
    start_appliance: Callable[..., Appliance], receiver: Receiver, hanging: int, known: bool
) -> None:
    """In one appliance with two workers, beside five healthy ones, from the first second on: all are new.

    Or all had answered at once until then, and so are served by the few fast threads.
    """
    appliance = start_appliance(SPOKE_TIMEOUT="10")
    dead, alive = appliance.location("Hanging"), appliance.location("Healthy")
    for number in range(hanging):
        appliance.webhook("Hanging", receiver.url(f"/hang/{number}"))
    for number in range(5):
        appliance.webhook("Healthy", receiver.url(f"/healthy/{number}"))
    if known:
        appliance.ring(dead)
        for number in range(hanging):
            receiver.wait(f"/hang/{number}")
    receiver.answers |= {f"/hang/{number}": [Answer(seconds=30)] for number in range(hanging)}
    slowest = 0.0
    for count in range(1, 21):
        if count <= 5:
            appliance.ring(dead, thread_id=str(uuid.uuid4()))
        sent = time.monotonic()
        appliance.ring(alive)
        for number in range(5):
            slowest = max(slowest, receiver.wait(f"/healthy/{number}", count, 9)[-1].at - sent)
    appliance.kill()  # nobody waits for what hangs
    assert slowest < 5, f"the slowest took {slowest:.1f} s"


def test_a_circuit_opens_after_five_breaks_and_probes_with_one(
    start_appliance: Callable[..., Appliance],
) -> None:
    """Nothing listens; with 20 calls waiting, after the fifth break one delivery at a time goes out."""
    appliance = start_appliance(SPOKE_RETRY_SCHEDULE="3600")
    token = appliance.location("Office")
    from appliance import free_port

    port = free_port()
    webhook = appliance.webhook("Office", f"http://127.0.0.1:{port}/hook")
    for _ in range(20):
        appliance.ring(token, thread_id=str(uuid.uuid4()))

    def attempts() -> int:
        return sum(one["attempts"] for one in appliance.cli("delivery", "list", "--webhook", webhook["id"]))

    eventually(lambda: attempts() == 5)
    broken = appliance.rows("SELECT broken, probe_at FROM lane")[0]
    assert broken.broken == 5
    eventually(lambda: attempts() == 6, 20)
    query = "SELECT a.started_at FROM attempt a JOIN delivery d ON d.id = a.delivery_id ORDER BY a.started_at"
    started = [row.started_at for row in appliance.rows(query)]
    assert started[5] - started[4] > 3_000, "the first probe comes after 5 seconds"


def test_its_own_concurrency_and_rate_hold(appliance: Appliance, receiver: Receiver, place: Place) -> None:
    appliance.webhook(place[0], receiver.url("/two"), concurrency=2)
    appliance.webhook(place[0], receiver.url("/ten"), rate=10)
    receiver.answers["/two"] = [Answer(seconds=0.1)]
    for _ in range(20):
        appliance.ring(place[1])
    two = receiver.wait("/two", 20, 10)
    assert two[-1].at - two[0].at > 0.8, "20 of 100 ms, two at a time"
    ten = receiver.wait("/ten", 20, 10)
    gaps = [later.at - earlier.at for earlier, later in zip(ten, ten[11:], strict=False)]
    assert min(gaps) > 0.3, "a second, as they were claimed; on a busy machine they come in closer together"
