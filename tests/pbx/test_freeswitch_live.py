"""A location connected to FreeSWITCH's event socket, from the socket to the message at the receiver."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ami_server import SECRET, AmiServer
from appliance import Appliance, Visitor, eventually
from asterisk import state
from esl_courses import played
from esl_server import PASSWORD, EslServer, message, written
from esl_switch import Switch
from receiver import Receiver

pytestmark = pytest.mark.databases("one")


def connect(appliance: Appliance, location: str, port: int, *more: str, secret: str = PASSWORD) -> Any:
    return appliance.invoke(
        "pbx", "connect", location, "freeswitch", "--host", "127.0.0.1", "--port", port, *more,
        input=f"{secret}\n",
    )  # fmt: skip


def wrong(appliance: Appliance, location: str, word: str) -> dict[str, Any]:
    """The state of a connection, once its sentence has this word."""
    return eventually(  # type: ignore[no-any-return]
        lambda: next((one for one in [state(appliance, location)] if word in one["detail"]), None), 20
    )


def told(receiver: Receiver) -> list[tuple[Any, ...]]:
    return [(one.json["subtype"], one.json.get("reconstructed", False)) for one in receiver.at("/calls")]


@pytest.fixture
def server() -> Iterator[EslServer]:
    one = EslServer()
    yield one
    one.close()


def test_a_call_comes_through_however_its_bytes_are_cut(
    appliance: Appliance, place: tuple[str, str], server: EslServer, receiver: Receiver
) -> None:
    stream = b"".join(written(fields) for _, fields in played("answered_in").stream)
    assert "Zoë Müller 東".encode() in stream

    def trickle(link: socket.socket) -> None:
        for start in range(0, len(stream), 7):  # often in the middle of a character
            link.sendall(stream[start : start + 7])

    server.script = trickle
    appliance.webhook(place[0], receiver.url("/calls"))
    assert connect(appliance, place[0], server.port, "--country", "US").exit_code == 0
    eventually(lambda: len(told(receiver)) == 3, 20)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", False)]
    assert {one.json["from_name"] for one in receiver.at("/calls")} == {"Zoë Müller 東"}
    assert {one.json["from_national"] for one in receiver.at("/calls")} == {"(202) 555-0123"}
    eventually(lambda: state(appliance, place[0])["events"] == 3, 20)
    now = state(appliance, place[0])
    assert (now["system"], now["state"]) == ("freeswitch", "connected")
    assert any(line.startswith("event json CHANNEL_CREATE") for line in server.asked)


def test_a_connection_that_breaks_in_mid_call_gives_the_call_its_one_end_marked(
    appliance: Appliance, place: tuple[str, str], server: EslServer, receiver: Receiver
) -> None:
    switch = Switch("cut")
    caller = switch.call_in(dialled="1001")
    phone = switch.dial(caller, "1001")
    switch.rings(phone)
    switch.talk(caller, phone)
    begun = b"".join(written(fields) for _, fields in switch.stream)
    server.script = lambda link: link.sendall(begun)
    appliance.webhook(place[0], receiver.url("/calls"))
    connect(appliance, place[0], server.port)
    eventually(lambda: len(told(receiver)) == 2, 20)
    server.script = lambda link: None
    server.rows = switch.rows()
    server.cut()  # both still talk when the connection is back
    eventually(lambda: server.logins == 2, 20)
    server.rows = []
    server.cut()  # and hung up before it is back again
    eventually(lambda: len(told(receiver)) == 3, 20)
    assert told(receiver) == [("ringing", False), ("answered", False), ("ended", True)]


def test_connecting_the_location_to_an_asterisk_instead_ends_the_calls_that_were(
    appliance: Appliance, place: tuple[str, str], server: EslServer, receiver: Receiver
) -> None:
    server.script = lambda link: link.sendall(
        b"".join(written(fields) for _, fields in played("answered_in").stream[:6])
    )
    appliance.webhook(place[0], receiver.url("/calls"))
    connect(appliance, place[0], server.port)
    eventually(lambda: len(told(receiver)) == 2, 20)
    asterisk = AmiServer()
    appliance.invoke(
        "pbx", "connect", place[0], "asterisk", "--host", "127.0.0.1", "--port", asterisk.port,
        "--user", "spoke",
        input=f"{SECRET}\n",
    )  # fmt: skip
    eventually(lambda: len(told(receiver)) == 3, 20)
    assert told(receiver)[-1] == ("ended", True)
    eventually(lambda: state(appliance, place[0])["state"] == "connected", 20)
    assert state(appliance, place[0])["system"] == "asterisk"
    asterisk.close()


def test_a_wrong_password_is_said_and_so_is_an_address_that_is_turned_away(
    appliance: Appliance, place: tuple[str, str], server: EslServer
) -> None:
    connect(appliance, place[0], server.port, secret="wrong")
    refused = wrong(appliance, place[0], "refuses the password: -ERR invalid")
    assert refused["state"] == "refused" and "event_socket.conf.xml" in refused["detail"]
    away = EslServer(greeting=message("text/rude-rejection", b"Access Denied, go away.\n"))
    connect(appliance, place[0], away.port)
    assert wrong(appliance, place[0], "apply-inbound-acl")["state"] == "broken"
    away.close()


def test_another_server_is_said(appliance: Appliance, place: tuple[str, str]) -> None:
    other = EslServer(greeting=b"Asterisk Call Manager/11.0.0\r\n\n")
    connect(appliance, place[0], other.port)
    assert wrong(appliance, place[0], "not as a FreeSWITCH event socket")["state"] == "broken"
    other.close()


def test_a_recording_keeps_the_headers_that_are_read_and_no_others_and_can_be_replayed(
    appliance: Appliance, place: tuple[str, str], tmp_path: Path
) -> None:
    secret = ("variable_sip_auth_password", "of-a-caller")
    stream = b"".join(written([*fields, secret]) for _, fields in played("busy").stream)
    server = EslServer(after=stream)
    connect(appliance, place[0], server.port)
    file = tmp_path / "day.jsonl"
    messages = len(played("busy").stream)
    kept = appliance.cli("pbx", "record", place[0], file, "--seconds", "1")
    assert kept["messages"] == messages
    assert "+12025550177" in file.read_text() and "of-a-caller" not in file.read_text()
    printed = appliance.invoke("pbx", "replay", str(file), "--system", "freeswitch", "--country", "US")
    (event,) = [json.loads(line) for line in printed.stdout.splitlines()]
    assert event["to_national"] == "(202) 555-0177"
    assert (event["subtype"], event["timestamp"][:10]) == ("busy", "2026-11-28")
    server.close()


def test_the_page_has_the_lines_and_a_location_has_one_connection(
    appliance: Appliance, visitor: Visitor, place: tuple[str, str], server: EslServer
) -> None:
    path = f"/locations/{appliance.location_id(place[0])}/freeswitch"
    page = visitor.get(path).text
    assert "event_socket.conf.xml" in page and "apply-inbound-acl" in page and 'value="8021"' in page
    typed = {"host": "127.0.0.1", "port": str(server.port)}
    refused = visitor.post(path, **typed, secret="")
    assert refused.status_code == 422 and "“Password” is missing." in refused.text
    assert "cidr=&#34;127.0.0.1/32&#34;" in refused.text
    assert visitor.post(path, **typed, secret=PASSWORD).status_code == 303
    eventually(lambda: "Connected" in visitor.get(f"{path}/state").text, 20)
    connected = visitor.get(path).text
    assert PASSWORD not in connected and "has no webhook yet" in connected
    appliance.webhook(place[0], "https://receiver.example/")
    assert "has no webhook yet" not in visitor.get(path).text
    other = path.replace("freeswitch", "asterisk")
    assert "is connected to FreeSWITCH" in visitor.get(other).text
    assert "“Secret” is missing." in visitor.post(other, **typed, user="spoke", secret="").text
    assert "Disconnect FreeSWITCH?" in visitor.get(f"{path}/disconnect").text
    assert visitor.post(f"{path}/disconnect").status_code == 303
    assert "No phone system is connected any more." in visitor.get(f"{path}/state").text
