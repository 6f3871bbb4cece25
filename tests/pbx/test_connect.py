"""Connecting a location to Asterisk: by command and by page; what is wrong is said in words."""

import json
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ami_server import SECRET, AmiServer, written
from appliance import Appliance, Visitor, eventually, free_port
from asterisk import Lab, state
from pbx.template import Template
from receiver import Receiver
from refusing import refusing


def connect(appliance: Appliance, location: str, port: int, *more: str, secret: str = SECRET) -> Any:
    return appliance.invoke(
        "pbx", "connect", location, "asterisk", "--host", "127.0.0.1", "--port", port, "--user", "spoke",
        *more, input=f"{secret}\n",
    )  # fmt: skip


def wrong(appliance: Appliance, location: str, word: str) -> dict[str, Any]:
    """The state of a connection, once its sentence has this word."""
    return eventually(  # type: ignore[no-any-return]
        lambda: next((one for one in [state(appliance, location)] if word in one["detail"]), None), 20
    )


def hung_up(server: AmiServer) -> threading.Event:
    """Set once the other end has closed its connection to the server."""
    closed = threading.Event()

    def until_closed(link: socket.socket) -> None:
        with socket.socket(fileno=socket.dup(link.fileno())) as own:
            ended = select.poll()
            ended.register(own, select.POLLRDHUP)
            ended.poll(60_000)
        closed.set()

    server.script = until_closed
    return closed


@pytest.fixture
def server() -> Iterator[AmiServer]:
    one = AmiServer()
    yield one
    one.close()


def test_a_command_connects_and_status_says_since_when(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    made = connect(appliance, place[0], server.port)
    assert made.exit_code == 0 and "is being connected" in made.stdout, made.output
    eventually(lambda: state(appliance, place[0])["state"] == "connected", 15)
    now = state(appliance, place[0])
    assert now["since"] and now["detail"] == "" and now["at"] == f"127.0.0.1:{server.port}"
    assert "connected to Asterisk" in str(appliance.rows("SELECT text FROM change ORDER BY id DESC LIMIT 5"))


def test_the_secret_is_sealed_in_the_database(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    connect(appliance, place[0], server.port)
    kept = appliance.rows("SELECT secret FROM pbx_connection ORDER BY id DESC LIMIT 1")[0][0]
    assert kept.startswith("sealed:") and SECRET not in kept


def test_a_changed_connection_is_made_anew_and_an_empty_secret_keeps_the_one_that_is_there(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    connect(appliance, place[0], server.port)
    eventually(lambda: server.logins == 1, 15)
    assert connect(appliance, place[0], server.port, "--internal-numbers", "3", secret="").exit_code == 0
    eventually(lambda: server.logins == 2, 15)


def test_disconnecting_ends_the_connection_and_forgets_the_secret(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    closed = hung_up(server)
    connect(appliance, place[0], server.port)
    eventually(lambda: server.logins == 1, 15)
    assert appliance.cli("pbx", "disconnect", place[0]) == {"location": place[0], "system": "asterisk"}
    assert closed.wait(10)
    assert place[0] not in [row["location"] for row in appliance.cli("pbx", "status")]
    assert "There is no phone system connected" in appliance.cli("pbx", "disconnect", place[0], status=1)


def test_deleting_a_location_ends_its_connection(appliance: Appliance, server: AmiServer) -> None:
    appliance.location("Short-lived")
    connect(appliance, "Short-lived", server.port)
    eventually(lambda: server.logins == 1, 15)
    before = len(appliance.rows("SELECT id FROM pbx_connection"))
    appliance.cli("location", "delete", "Short-lived")
    assert len(appliance.rows("SELECT id FROM pbx_connection")) == before - 1


@pytest.mark.databases("one")
def test_a_refused_log_in_is_said_in_words_and_tried_again_slowly(
    appliance: Appliance, place: tuple[str, str], asterisk_22: Lab
) -> None:
    connect(appliance, place[0], asterisk_22.port, secret="wrong")
    now = wrong(appliance, place[0], "refuses the user 'spoke'")
    assert now["state"] == "refused"
    assert "Authentication failed" in now["detail"] and "Check user and secret" in now["detail"]
    # A phone system that only hangs up is tried again after one second, and after two.
    hanging_up = AmiServer(lambda link: link.shutdown(socket.SHUT_RDWR))
    appliance.location(f"{place[0]} hangs up")
    connect(appliance, f"{place[0]} hangs up", hanging_up.port)
    eventually(lambda: hanging_up.logins == 3, 30)
    hanging_up.close()
    assert state(appliance, place[0])["since"] == now["since"]  # no further log-in meanwhile
    connect(appliance, place[0], asterisk_22.port, "--user", "adapter", secret=asterisk_22.info["secret"])
    eventually(lambda: state(appliance, place[0])["state"] == "connected")  # at once, not after a minute


@pytest.mark.databases("one")
@pytest.mark.parametrize(
    ("banner", "word"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "not as an Asterisk manager interface"),
        (b"Asterisk Call Manager/1.3\r\n", "too old"),
    ],
)
def test_who_is_no_usable_asterisk_is_said(
    appliance: Appliance, place: tuple[str, str], banner: bytes, word: str
) -> None:
    server = AmiServer(banner=banner)
    connect(appliance, place[0], server.port)
    assert wrong(appliance, place[0], word)["state"] == "broken"
    server.close()


@pytest.mark.databases("one")
def test_a_port_where_nobody_listens_and_a_name_without_address_are_said(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    connect(appliance, place[0], free_port())
    assert wrong(appliance, place[0], "Nobody listens")["state"] == "broken"
    connect(appliance, place[0], 5038, "--host", "pbx.invalid")
    wrong(appliance, place[0], "'pbx.invalid' has no address")


@pytest.mark.databases("one")
def test_a_user_who_may_not_list_channels_is_connected_and_told_what_that_costs(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    server = AmiServer(may_list=False)
    connect(appliance, place[0], server.port)
    assert wrong(appliance, place[0], "write = reporting")["state"] == "connected"
    server.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, as Asterisk's own script makes them, with its key in one file."""
    file = tmp_path_factory.mktemp("tls") / "asterisk.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pbx",
         "-keyout", file, "-out", file.with_suffix(".crt")], check=True, capture_output=True,
    )  # fmt: skip
    return file


@pytest.mark.databases("one")
def test_tls_trusts_the_certificate_that_was_given_and_no_other(
    appliance: Appliance, place: tuple[str, str], certificate: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.with_suffix(".crt"), certificate)
    server = AmiServer(tls=context)
    connect(appliance, place[0], server.port, "--tls")
    wrong(appliance, place[0], "is not trusted")
    assert server.logins == 0
    connect(appliance, place[0], server.port, "--tls", "--ca", str(certificate.with_suffix(".crt")))
    eventually(lambda: state(appliance, place[0])["state"] == "connected")
    connect(appliance, place[0], server.port)
    wrong(appliance, place[0], "says nothing")
    server.close()


@pytest.mark.databases("one")
def test_tls_with_who_does_not_speak_it_is_said(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    connect(appliance, place[0], server.port, "--tls")
    wrong(appliance, place[0], "does not speak TLS with us")


@pytest.mark.databases("one")
def test_a_recording_has_the_messages_as_they_came_and_is_for_its_owner_alone(
    appliance: Appliance, place: tuple[str, str], tmp_path: Path
) -> None:
    fields = [("Event", "Newchannel"), ("Uniqueid", "1.1"), ("CallerIDName", "Zoë: 東"), ("Exten", "")]
    server = AmiServer(greeting=written(fields))
    connect(appliance, place[0], server.port)
    file = tmp_path / "day.jsonl"
    assert appliance.cli("pbx", "record", place[0], file, "--seconds", "1") == {
        "file": str(file),
        "messages": 2,
    }
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [tuple(pair) for pair in lines[1]["event"]] == fields
    assert 0 <= lines[1]["ms"] < 1000
    assert file.stat().st_mode & 0o777 == 0o600
    assert "cannot be made" in appliance.cli("pbx", "record", place[0], file, status=1)
    server.close()


@pytest.mark.databases("one")
def test_the_page_has_the_lines_to_copy_and_shows_how_the_connection_is(
    appliance: Appliance, visitor: Visitor, place: tuple[str, str], server: AmiServer
) -> None:
    path = f"/locations/{appliance.location_id(place[0])}/asterisk"
    page = visitor.get(path).text
    for line in (
        "[spoke]",
        "read = system,call,agent,dialplan,user",
        "write = reporting",
        "writetimeout = 5000",
    ):
        assert line in page
    typed = {"host": "127.0.0.1", "port": str(server.port), "user": "reader"}
    refused = visitor.post(path, **typed, secret="")
    assert refused.status_code == 422 and "“Secret” is missing." in refused.text
    assert 'value="reader"' in refused.text and "permit = 127.0.0.1/255.255.255.255" in refused.text
    assert visitor.post(path, **typed, secret=SECRET, outgoing_prefixes="None").status_code == 303
    shown = eventually(
        lambda: next((t for t in [visitor.get(f"{path}/state").text] if "Connected" in t), ""), 15
    )
    assert "since" in shown
    page = visitor.get(path).text
    assert "[reader]" in page and SECRET not in page
    assert 'name="outgoing_prefixes" value="none"' in page and 'name="trunks" value=""' in page
    assert "Disconnect Asterisk?" in visitor.get(f"{path}/disconnect").text
    assert visitor.post(f"{path}/disconnect").status_code == 303
    assert "No phone system is connected any more." in visitor.get(f"{path}/state").text


@pytest.mark.databases("one")
def test_a_paused_location_is_not_connected_until_it_is_resumed(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    closed = hung_up(server)
    connect(appliance, place[0], server.port)
    eventually(lambda: server.logins == 1, 15)
    appliance.cli("location", "pause", place[0])
    assert state(appliance, place[0])["state"] == "paused"
    assert closed.wait(20) and server.logins == 1
    appliance.cli("location", "resume", place[0])
    eventually(lambda: server.logins == 2, 15)


def test_what_cannot_be_a_host_a_port_or_a_rule_is_refused_with_its_field(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver
) -> None:
    def sentence(*more: str) -> str:
        result = connect(appliance, place[0], 5038, *more)
        assert result.exit_code == 1
        return str(result.stderr)

    assert "“Host” has to be without white space" in sentence("--host", "a b")
    assert "“Port” has to be at most 65535" in sentence("--port", "70000")
    assert "neither a length such as 4" in sentence("--internal-numbers", "five")


def test_the_death_of_the_process_that_holds_the_connection_is_told_at_once(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    connect(appliance, place[0], server.port)
    eventually(lambda: state(appliance, place[0])["state"] == "connected", 15)
    supervisor, (process,) = appliance.family()[0], appliance.named("spoke: pbx")
    supervisor.suspend()  # so that it is not back at once
    try:
        process.kill()
        # Well before the age of what it wrote would tell.
        eventually(lambda: "does not run" in state(appliance, place[0])["detail"], 20)
        assert state(appliance, place[0])["state"] == "broken"
    finally:
        supervisor.resume()
    eventually(lambda: state(appliance, place[0])["state"] == "connected", 30)


@pytest.mark.databases("one")
def test_numbers_are_in_e164_by_the_country_and_a_change_holds_for_the_next_call(
    appliance: Appliance, visitor: Visitor, place: tuple[str, str], receiver: Receiver, server: AmiServer
) -> None:
    appliance.webhook(place[0], receiver.url("/crm"), status="missed")
    template = Template("no_answer")
    next_call = threading.Semaphore(0)

    def calls(link: socket.socket) -> None:
        for number in (1, 2):
            next_call.acquire(timeout=60)
            link.sendall(b"".join(template.call(number)).replace(b"+12025550123", b"2025550123"))

    server.script = calls
    connect(appliance, place[0], server.port)
    next_call.release()
    (raw,) = receiver.wait("/crm", 1)
    assert raw.json["from"] == "2025550123" and "from_raw" not in raw.json
    page = f"/locations/{appliance.location_id(place[0])}"
    assert visitor.post(f"{page}/phone-settings", country="us").status_code == 303
    next_call.release()
    _, read = receiver.wait("/crm", 2)
    assert (read.json["from"], read.json["from_raw"], read.json["from_national"], read.json["to"]) == (
        "+12025550123", "2025550123", "(202) 555-0123", "5010",
    )  # fmt: skip


@pytest.mark.databases("one")
def test_an_event_that_the_database_refuses_is_set_aside_and_the_next_one_comes(
    appliance: Appliance, place: tuple[str, str], server: AmiServer
) -> None:
    whole = b"".join(Template("no_answer").call(3))
    server.script = lambda link: link.sendall(whole)
    with refusing(appliance, "event", "INSERT", "NEW.subtype = 'ringing'"):
        connect(appliance, place[0], server.port)
        eventually(lambda: state(appliance, place[0])["events"] == 1, 20)
    told = "SELECT event.subtype FROM event JOIN location ON location.id = location_id WHERE name = :name"
    assert [row[0] for row in appliance.rows(told, name=place[0])] == ["missed"]
    assert "event set aside" in appliance.log


@pytest.mark.databases("one")
def test_a_cause_that_is_not_known_is_counted_and_shown_and_its_call_is_told(
    appliance: Appliance, visitor: Visitor, place: tuple[str, str], server: AmiServer
) -> None:
    whole = b"".join(Template("busy").call(4))
    assert b"Cause: 17\r\n" in whole
    server.script = lambda link: link.sendall(whole.replace(b"Cause: 17\r\n", b"Cause: 199\r\n"))
    connect(appliance, place[0], server.port)
    eventually(lambda: state(appliance, place[0])["events"] == 2, 20)
    page = f"/locations/{appliance.location_id(place[0])}"
    eventually(lambda: "<bdi>Cause 199</bdi>" in visitor.get(f"{page}/asterisk").text, 20)
    assert "Asterisk <bdi>Cause 199</bdi>" in visitor.get(page).text
