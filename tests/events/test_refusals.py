"""Input that the hook refuses: what it answers, that nothing is stored, that no token comes into the log."""

import gzip
import http.client
import json
import socket
import time
import uuid
from collections.abc import Iterable
from typing import Any

import pytest
import requests
from appliance import Appliance, basic

pytestmark = pytest.mark.databases("one")

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MIB = 1 << 20
GOOD = {"type": "incoming_call", "subtype": "ringing"}


class Desk:
    """A location whose events are all refused."""

    def __init__(self, appliance: Appliance) -> None:
        self.appliance = appliance
        self.name = f"Refused {uuid.uuid4().hex[:8]}"
        self.token = appliance.location(self.name)
        self._stored, self._read = 0, 0

    def post(
        self, body: bytes | str | Iterable[bytes], kind: str | None = JSON, **headers: str
    ) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.token}", "Connection": "close", **headers}
        if kind is not None:
            sent["Content-Type"] = kind
        return self.appliance.post(
            "/api/events", data=body.encode() if isinstance(body, str) else body, headers=sent
        )

    def raw(self, headers: str, body: bytes, *, hang_up: bool = False) -> int:
        """The status of a request that no client library would send."""
        head = (
            f"POST /api/events HTTP/1.1\r\nHost: pbx\r\nAuthorization: Bearer {self.token}\r\n{headers}\r\n"
        )
        return status_of(self.appliance, head.encode() + b"\r\n" + body, hang_up=hang_up)

    def left_nothing(self) -> None:
        """No event is there that was not there at the last look, and no token in what was logged since."""
        query = "SELECT count(*) FROM event JOIN location ON location.id = location_id WHERE name = :name"
        before, self._stored = self._stored, self.appliance.rows(query, name=self.name)[0][0]
        log = self.appliance.log
        fresh, self._read = log[self._read :], len(log)
        assert self._stored == before, "it was stored"
        assert self.token not in fresh, "the token is in the log"

    def refused(self, answer: requests.Response, status: int) -> dict[str, Any]:
        """The problem document of an answer, after a look that nothing is left of the request."""
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        found = problem(answer)
        self.left_nothing()
        return found


def problem(answer: requests.Response) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status_code
    assert all(isinstance(found[member], str) and found[member] for member in ("type", "title", "detail"))
    for error in found.get("errors", []):
        assert set(error) == {"pointer", "detail"} and error["detail"]
        form = (answer.request.headers.get("Content-Type") or "").startswith(FORM)
        assert form or error["pointer"] == "" or error["pointer"].startswith("/")
    return found


def status_of(appliance: Appliance, request: bytes, *, hang_up: bool = False) -> int:
    with socket.create_connection(("127.0.0.1", appliance.port), timeout=5) as connection:
        connection.sendall(request)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer.status


@pytest.fixture(scope="module")
def client(appliance: Appliance) -> Desk:
    return Desk(appliance)


def call(*members: str) -> str:
    """A call event as JSON text, with more members as text."""
    return "{" + ", ".join(['"type": "incoming_call"', '"subtype": "ringing"', *members]) + "}"


def media(*members: str) -> str:
    return "{" + ", ".join(['"type": "voicemail"', *members]) + "}"


# --- 400: not JSON ---

NOT_JSON: dict[str, bytes | str] = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "only-a-bom": b"\xef\xbb\xbf",
    "two-boms": b"\xef\xbb\xbf\xef\xbb\xbf" + call().encode(),
    "broken-off": '{"type": "incoming_call", "subt',
    "never-closed": call()[:-1],
    "bracket-alone": "[",
    "batch-never-closed": f"[{call()}, ",
    "batch-closed-by-a-brace": f"[{call()}}}",
    "trailing-garbage": call() + " x",
    "two-documents": call() + call(),
    "batch-and-garbage": f"[{call()}] ]",
    "trailing-comma": '{"type": "incoming_call", "subtype": "ringing",}',
    "comma-alone": f"[{call()},, {call()}]",
    "single-quotes": "{'type': 'incoming_call', 'subtype': 'ringing'}",
    "no-quotes": "{type: incoming_call, subtype: ringing}",
    "comment": call() + " // from the PBX",
    "leading-zero": call('"to": 0123'),
    "plus-sign": call('"to": +4930'),
    "half-an-escape": call('"to": "\\u12"'),
    "unknown-escape": call('"to": "\\x41"'),
    "raw-newline-in-text": call('"to_name": "Dade\nMurphy"'),
    "raw-nul-in-text": call('"to_name": "Dade\0Murphy"'),
    "no-break-space-around": "\u00a0" + call(),
    "half-a-word": "nul",
    "python-words": call('"x": None'),
    "latin-1": call('"to_name": "Jürgen"').encode("latin-1"),
    "surrogate-in-utf-8": call('"to_name": "').encode()[:-1] + b'\xed\xa0\x80"}',
    "overlong-utf-8": call('"to_name": "').encode()[:-1] + b'\xc0\xaf"}',
    "utf-16": call().encode("utf-16"),
    "utf-16-without-bom": call().encode("utf-16-le"),
    "utf-32": call().encode("utf-32"),
    "xml": "<event><type>incoming_call</type></event>",
    "form": "type=incoming_call&subtype=ringing",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_400(client: Desk, body: bytes | str) -> None:
    client.refused(client.post(body), 400)


# --- 422: JSON, but no event that can be passed on; with the place of the fault ---

LONG = "x" * 1001
ANYWHERE = None  # the fault has no field of ours to name, or a name that cannot be written

UNUSABLE: dict[str, tuple[str, str | None]] = {
    # A key given twice
    "key-twice": (call('"to": "1"', '"to": "1"'), "/to"),
    "key-twice-type": (call('"type": "outgoing_call"'), "/type"),
    "key-twice-in-another-spelling": (call('"to": "1"', '"\\u0074\\u006f": "2"'), "/to"),
    "key-twice-unknown": (call('"duration": 1', '"duration": 2'), "/duration"),
    "key-twice-beyond-ascii": (call('"größe": 1', '"gr\\u00f6\\u00dfe": 2'), "/größe"),
    "key-twice-empty": (call('"": 1', '"": 2'), "/"),
    "key-twice-nested": (call('"x": {"a": 1, "a": 2}'), "/x"),
    "key-twice-nested-in-another-spelling": (call('"x": {"a": 1, "\\u0061": 2}'), "/x"),
    "key-twice-in-a-list": (call('"x": [{}, {"a": {"b": 1, "b": 1}}]'), "/x"),
    # Numbers
    "nan": (call('"x": NaN'), "/x"),
    "infinity": (call('"x": Infinity'), "/x"),
    "minus-infinity": (call('"x": -Infinity'), "/x"),
    "nan-nested": (call('"x": {"y": [1, NaN]}'), "/x"),
    "nan-as-a-name": (call('"to": NaN'), "/to"),
    "1e999": (call('"x": 1e999'), "/x"),
    "minus-1e999": (call('"x": -1e999'), "/x"),
    "1e999-nested": (call('"x": [[1e999]]'), "/x"),
    "double-in-400-digits": (call(f'"x": {"9" * 400}.0'), "/x"),
    "integer-of-4301-digits": (call(f'"x": {"9" * 4301}'), "/x"),
    "integer-of-minus-4301-digits": (call(f'"x": -{"9" * 4301}'), "/x"),
    "integer-of-4301-digits-nested": (call(f'"x": {{"y": {"9" * 4301}}}'), "/x"),
    "integer-of-100000-digits": (call(f'"x": {"9" * 100_000}'), "/x"),
    # Nesting
    "65-levels": (call(f'"x": {"[" * 64}{"]" * 64}'), ANYWHERE),
    "65-levels-of-objects": (call('"x": ' + '{"x": ' * 64 + "0" + "}" * 64), ANYWHERE),
    "5000-levels": (call(f'"x": {"[" * 5000}{"]" * 5000}'), ANYWHERE),
    "5000-levels-of-objects": ('{"x":' * 5000 + "0" + "}" * 5000, ANYWHERE),
    # Text that cannot be kept
    "nul-in-a-name": (call('"to_name": "a\\u0000b"'), "/to_name"),
    "nul-in-a-key": (call('"a\\u0000b": 1'), ANYWHERE),
    "nul-in-a-known-key": (call('"to\\u0000": "5010"'), ANYWHERE),
    "nul-in-a-further-field": (call('"x": "\\u0000"'), "/x"),
    "nul-in-a-nested-value": (call('"x": {"y": ["\\u0000"]}'), "/x"),
    "nul-in-a-nested-key": (call('"x": [{"\\u0000": 1}]'), "/x"),
    "nul-in-the-type": ('{"type": "incoming_call\\u0000", "subtype": "ringing"}', "/type"),
    "nul-in-the-thread": (call('"thread_id": "\\u0000"'), "/thread_id"),
    "first-half-of-a-pair": (call('"from_name": "\\ud83d"'), "/from_name"),
    "second-half-of-a-pair": (call('"from_name": "\\uDE00"'), "/from_name"),
    "pair-the-wrong-way-round": (call('"from_name": "\\ude00\\ud83d"'), "/from_name"),
    "half-a-pair-in-a-key": (call('"\\ud83d": 1'), ANYWHERE),
    "half-a-pair-in-a-key-given-twice": (call('"\\ud83d": 1', '"\\ud83d": 2'), ANYWHERE),
    "half-a-pair-in-the-key-of-a-nan": (call('"\\ud83d": NaN'), ANYWHERE),
    "half-a-pair-nested": (call('"x": {"y": ["\\ud83d"]}'), "/x"),
    "half-a-pair-in-a-nested-key": (call('"x": {"\\udfff": 1}'), "/x"),
    # type
    "type-missing": ('{"subtype": "ringing"}', "/type"),
    "type-null": ('{"type": null, "subtype": "ringing"}', "/type"),
    "type-unknown": ('{"type": "fax", "subtype": "ringing"}', "/type"),
    "type-empty": ('{"type": "", "subtype": "ringing"}', "/type"),
    "type-in-the-pages-words": ('{"type": "Incoming Call", "subtype": "ringing"}', "/type"),
    "type-with-a-space": ('{"type": "incoming_call ", "subtype": "ringing"}', "/type"),
    "type-number": ('{"type": 1, "subtype": "ringing"}', "/type"),
    "type-list": ('{"type": ["incoming_call"], "subtype": "ringing"}', "/type"),
    "type-object": ('{"type": {"incoming_call": true}, "subtype": "ringing"}', "/type"),
    "empty-object": ("{}", "/type"),
    # subtype
    "subtype-missing": ('{"type": "incoming_call"}', "/subtype"),
    "subtype-null": ('{"type": "outgoing_call", "subtype": null}', "/subtype"),
    "subtype-empty": ('{"type": "incoming_call", "subtype": ""}', "/subtype"),
    "subtype-unknown": ('{"type": "incoming_call", "subtype": "parked"}', "/subtype"),
    "subtype-in-the-pages-words": ('{"type": "incoming_call", "subtype": "No answer"}', "/subtype"),
    "subtype-number": ('{"type": "incoming_call", "subtype": 1}', "/subtype"),
    "subtype-list": ('{"type": "incoming_call", "subtype": ["ringing"]}', "/subtype"),
    "subtype-object": ('{"type": "incoming_call", "subtype": {}}', "/subtype"),
    "subtype-true": ('{"type": "incoming_call", "subtype": true}', "/subtype"),
    "subtype-on-a-voicemail": (media('"subtype": "ringing"'), "/subtype"),
    "subtype-on-a-recording": ('{"type": "call_recording", "subtype": "ended"}', "/subtype"),
    "subtype-number-on-media": (media('"subtype": 0'), "/subtype"),
    # id
    "id-empty": (call('"id": ""'), "/id"),
    "id-blank": (call('"id": " \\t"'), "/id"),
    "id-of-201-characters": (call(f'"id": "{"x" * 201}"'), "/id"),
    "id-number": (call('"id": 17'), "/id"),
    "id-list": (call('"id": []'), "/id"),
    "thread-number": (call('"thread_id": 17'), "/thread_id"),
    "thread-list": (call('"thread_id": ["17"]'), "/thread_id"),
    "thread-false": (call('"thread_id": false'), "/thread_id"),
    # Names and numbers
    "to-number": (call('"to": 5010'), "/to"),
    "to-list": (call('"to": ["5010"]'), "/to"),
    "to-object": (call('"to": {"number": "5010"}'), "/to"),
    "to-true": (call('"to": true'), "/to"),
    "to-too-long": (call(f'"to": "{LONG}"'), "/to"),
    "from-number": (call('"from": 19203833100'), "/from"),
    "from-double": (call('"from": 1.5'), "/from"),
    "from-list": (call('"from": []'), "/from"),
    "from-object": (call('"from": {}'), "/from"),
    "from-false": (call('"from": false'), "/from"),
    "from-too-long": (call(f'"from": "{LONG}"'), "/from"),
    "to-name-number": (call('"to_name": 7'), "/to_name"),
    "to-name-too-long": (call(f'"to_name": "{LONG}"'), "/to_name"),
    "from-name-list": (media('"from_name": ["Clearly IP"]'), "/from_name"),
    "from-name-too-long": (call(f'"from_name": "{LONG}"'), "/from_name"),
    # timestamp
    "time-of-year-99999": (call('"timestamp": "99999-01-01T00:00:00Z"'), "/timestamp"),
    "time-of-year-minus-1": (call('"timestamp": "-0001-01-01T00:00:00Z"'), "/timestamp"),
    "time-nonsense": (call('"timestamp": "just now"'), "/timestamp"),
    "time-empty": (call('"timestamp": ""'), "/timestamp"),
    "time-null-of-javascript": (call('"timestamp": "Invalid Date"'), "/timestamp"),
    "time-list": (call('"timestamp": []'), "/timestamp"),
    "time-of-month-13": (call('"timestamp": "2023-13-14T21:45:22Z"'), "/timestamp"),
    "time-of-february-30": (call('"timestamp": "2023-02-30T21:45:22Z"'), "/timestamp"),
    "time-of-hour-25": (call('"timestamp": "2023-11-14T25:45:22Z"'), "/timestamp"),
    "time-in-zone-99": (call('"timestamp": "2023-11-14T21:45:22+99:99"'), "/timestamp"),
    "time-as-http-has-it": (call('"timestamp": "Tue, 14 Nov 2023 21:45:22 GMT"'), "/timestamp"),
    "time-as-americans-have-it": (call('"timestamp": "11/14/2023 9:45 PM"'), "/timestamp"),
    "time-true": (call('"timestamp": true'), "/timestamp"),
    "time-before-1970": (call('"timestamp": -1'), "/timestamp"),
    "time-as-milliseconds-number": (call('"timestamp": 1712111530123'), "/timestamp"),
    "time-seconds-without-end": (call(f'"timestamp": {"9" * 4000}'), "/timestamp"),
    "time-seconds-with-an-exponent": (call('"timestamp": 1e300'), "/timestamp"),
    "time-24-and-a-second": (call('"timestamp": "2023-11-14T24:00:01Z"'), "/timestamp"),
    "time-of-second-61": (call('"timestamp": "2023-11-14T23:59:61Z"'), "/timestamp"),
    "time-in-full-width-digits": (call('"timestamp": "２０２３-11-14"'), "/timestamp"),
    "time-as-milliseconds": (call('"timestamp": "1712111530123"'), "/timestamp"),
    "time-parted-by-an-x": (call('"timestamp": "2023-11-14x21:45:22Z"'), "/timestamp"),
    "time-on-media-nonsense": (media('"timestamp": "just now"'), "/timestamp"),
}


def points_at(found: dict[str, Any], pointer: str | None, index: str = "") -> None:
    errors = found["errors"]
    assert errors, found
    for error in errors:
        assert error["pointer"].startswith(index), f"{error['pointer']} does not start with {index}"
    if pointer is not None:
        given = errors[0]["pointer"]
        assert given == index + pointer or given.startswith(f"{index}{pointer}/"), errors


@pytest.mark.parametrize(("body", "pointer"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_event_that_cannot_be_passed_on_is_422_and_says_where(
    client: Desk, body: str, pointer: str | None
) -> None:
    """Alone, and in a batch: that is refused whole, and the pointer starts with the index."""
    points_at(client.refused(client.post(body), 422), pointer)
    points_at(client.refused(client.post(f"[{call()}, {body}, {media()}]"), 422), pointer, "/1")


@pytest.mark.parametrize("field", ["to", "from", "to_name", "from_name", "thread_id"])
def test_a_value_that_is_no_text_is_refused_with_the_advice_to_quote_it(client: Desk, field: str) -> None:
    for value in ("123", "1.5", "[]", '["0123"]', "{}", "true", "false"):
        found = client.refused(client.post(call(f'"{field}": {value}')), 422)
        points_at(found, f"/{field}")
        assert "quote" in found["errors"][0]["detail"], value


def test_every_fault_of_an_event_is_named(client: Desk) -> None:
    found = client.refused(
        client.post('{"type": "fax", "to": 1, "from": [], "id": "", "timestamp": ""}'), 422
    )
    assert {error["pointer"] for error in found["errors"]} == {"/type", "/to", "/from", "/id", "/timestamp"}


def test_a_pointer_escapes_what_rfc_6901_wants_escaped(client: Desk) -> None:
    points_at(client.refused(client.post(call('"a/b~c": NaN')), 422), "/a~1b~0c")


NO_EVENT = {
    "empty-list": ("[]", ""),
    "text": ('"incoming_call"', ""),
    "number": ("17", ""),
    "null": ("null", ""),
    "true": ("true", ""),
    "nan": ("NaN", ""),
    "batch-with-text": (f'[{call()}, "incoming_call"]', "/1"),
    "batch-with-null": (f"[null, {call()}]", "/0"),
    "batch-with-a-number": (f"[{call()}, {call()}, 3]", "/2"),
    "batch-in-a-batch": (f"[{call()}, [{call()}]]", "/1"),
    "batch-with-an-empty-object": (f"[{call()}, {{}}]", "/1/type"),
}


@pytest.mark.parametrize(("body", "pointer"), NO_EVENT.values(), ids=NO_EVENT)
def test_json_that_is_no_event_is_422(client: Desk, body: str, pointer: str) -> None:
    found = client.refused(client.post(body), 422)
    assert [error["pointer"] for error in found["errors"]] == [pointer]


def test_a_batch_with_a_bad_event_at_17_is_refused_whole(client: Desk) -> None:
    batch = [GOOD] * 17 + [{"type": "incoming_call", "subtype": "parked"}] + [GOOD] * 10
    found = client.refused(client.post(json.dumps(batch)), 422)
    assert [error["pointer"] for error in found["errors"]] == ["/17/subtype"]


def test_a_batch_of_1001_is_refused(client: Desk) -> None:
    found = client.refused(client.post(json.dumps([GOOD] * 1001)), 422)
    assert "1,000" in found["errors"][0]["detail"]


@pytest.mark.parametrize("depth", [5000, 200_000])
def test_brackets_without_end_are_no_way_to_bring_it_down(client: Desk, depth: int) -> None:
    """Both too deep and not JSON: either may be said."""
    for body in ("[" * depth, '{"x":' * depth, "[{" * depth, "[" * depth + "]" * depth):
        answer = client.post(body)
        assert answer.status_code in (400, 422)
        client.refused(answer, answer.status_code)


def test_a_key_given_twice_among_many_is_found_quickly(client: Desk) -> None:
    """A web process is a handful of threads: nobody's body may keep one busy for minutes."""
    many = ",".join(f'"k{number}":1' for number in range(60_000))
    began = time.monotonic()
    points_at(client.refused(client.post(call(f'"x": {{{many},"k59999":2}}')), 422), "/x")
    assert time.monotonic() - began < 20


# --- forms ---

UNUSABLE_FORMS: dict[str, tuple[bytes | str, int, str | None]] = {
    "empty": ("", 422, "type"),
    "key-twice": ("type=incoming_call&subtype=ringing&to=1&to=2", 422, "to"),
    "key-twice-the-same": ("type=voicemail&type=voicemail", 422, "type"),
    "key-twice-in-another-spelling": ("type=voicemail&to=1&%74o=2", 422, "to"),
    "key-twice-further": ("type=voicemail&x=1&x=2", 422, "x"),
    "json": (call(), 422, ""),
    "json-after-a-space": ("\n " + call(), 422, ""),
    "json-batch": (f"[{call()}]", 422, ""),
    "type-missing": ("subtype=ringing", 422, "type"),
    "type-unknown": ("type=fax", 422, "type"),
    "subtype-missing": ("type=incoming_call", 422, "subtype"),
    "subtype-unknown": ("type=incoming_call&subtype=parked", 422, "subtype"),
    "subtype-on-media": ("type=voicemail&subtype=ringing", 422, "subtype"),
    "time-nonsense": ("type=voicemail&timestamp=now", 422, "timestamp"),
    "time-with-a-bare-plus": ("type=voicemail&timestamp=2023-11-14T21:45:22+01:00", 422, "timestamp"),
    "name-too-long": (f"type=voicemail&to_name={LONG}", 422, "to_name"),
    "nul-in-a-value": ("type=voicemail&to=a%00b", 422, "to"),
    "nul-in-a-key": ("type=voicemail&a%00b=1", 422, ANYWHERE),
    "bad-utf-8": (b"type=voicemail&to_name=J\xfcrgen", 400, ANYWHERE),
    "bad-utf-8-escaped": ("type=voicemail&to_name=J%FCrgen", 400, ANYWHERE),
    "surrogate-in-utf-8-escaped": ("type=voicemail&to_name=%ED%A0%80", 400, ANYWHERE),
    "utf-16": ("type=voicemail".encode("utf-16"), 400, ANYWHERE),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "pointer"), UNUSABLE_FORMS.values(), ids=UNUSABLE_FORMS)
def test_a_form_goes_by_the_same_rules(
    client: Desk, body: bytes | str, status: int, pointer: str | None
) -> None:
    """And its faults name the field: who fills in a form knows no JSON pointers."""
    answer = client.post(body, FORM)
    found = client.refused(answer, status)
    if status == 422 and pointer is not None:
        assert found["errors"][0]["pointer"] == pointer
        assert (f"The field '{pointer}' " if pointer else "The body ") in found["detail"]
        assert "/" + pointer not in found["detail"] or not pointer


# --- 415, 405, 401 ---

OTHER_KINDS: dict[str, tuple[str | None, bytes | str]] = {
    "none": (None, call()),
    "text": ("text/plain", call()),
    "html": ("text/html", call()),
    "octets": ("application/octet-stream", call()),
    "xml": ("application/xml", "<event/>"),
    "nearly-json": ("application/jsonp", call()),
    "no-kind-at-all": ("json", call()),
    "multipart": (
        "multipart/form-data; boundary=b",
        '--b\r\nContent-Disposition: form-data; name="type"\r\n\r\nvoicemail\r\n--b--\r\n',
    ),
    "multipart-without-boundary": ("multipart/form-data", call()),
}


@pytest.mark.parametrize(("kind", "body"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_another_content_type_is_415_and_says_which_are_taken(
    client: Desk, kind: str | None, body: bytes | str
) -> None:
    found = client.refused(client.post(body, kind), 415)
    assert "application/json" in found["detail"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_a_coded_body_is_415_and_says_so(client: Desk, coding: str) -> None:
    for kind in (JSON, FORM):
        answer = client.post(gzip.compress(call().encode()), kind, **{"Content-Encoding": coding})
        assert "compression" in client.refused(answer, 415)["detail"]
        assert answer.headers["Accept-Encoding"] == "identity"
    media_answer = client.appliance.post(
        "/api/media",
        files={"event": (None, media(), JSON), "file": ("a.wav", b"RIFF")},
        headers={"Authorization": f"Bearer {client.token}", "Content-Encoding": coding},
    )
    assert "compression" in client.refused(media_answer, 415)["detail"]


@pytest.mark.parametrize("charset", ["klingon", "utf-16", "rot13", "unicode_escape", "x" * 2000, "zlib"])
def test_a_form_in_an_unknown_charset_is_415(client: Desk, charset: str) -> None:
    assert (
        "charset"
        in client.refused(client.post("type=voicemail", f"{FORM}; charset={charset}"), 415)["detail"]
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_than_post_is_405(client: Desk, method: str) -> None:
    headers = {"Authorization": f"Bearer {client.token}"}
    for path in ("/api/events", f"/api/events/t/{client.token}", "/api/media"):
        answer = requests.request(method, client.appliance.url + path, json=GOOD, headers=headers, timeout=10)
        assert "use POST" in client.refused(answer, 405)["detail"]
        assert "POST" in answer.headers["Allow"]


WRONG = "wrong-" + uuid.uuid4().hex

NO_TOKEN: dict[str, tuple[str, dict[str, str | bytes]]] = {
    "none": ("/api/events", {}),
    "bearer-wrong": ("/api/events", {"Authorization": f"Bearer {WRONG}"}),
    "bearer-empty": ("/api/events", {"Authorization": "Bearer"}),
    "bearer-beyond-ascii": ("/api/events", {"Authorization": "Bearer ß".encode()}),
    "basic-wrong": ("/api/events", {"Authorization": basic("pbx", WRONG)}),
    "basic-empty": ("/api/events", {"Authorization": basic("", "")}),
    "basic-no-base64": ("/api/events", {"Authorization": "Basic %%%"}),
    "basic-no-colon": ("/api/events", {"Authorization": "Basic cGJ4"}),
    "basic-no-utf-8": ("/api/events", {"Authorization": "Basic //86//8="}),
    "another-scheme": ("/api/events", {"Authorization": 'Digest username="pbx", response="0"'}),
    "query-wrong": (f"/api/events?token={WRONG}", {}),
    "query-empty": ("/api/events?token=", {}),
    "query-no-utf-8": ("/api/events?token=%FF%ED%A0%80", {}),
    "query-nul": ("/api/events?token=%00", {}),
    "path-wrong": (f"/api/events/t/{WRONG}", {}),
    "path-no-utf-8": ("/api/events/t/%FF%ED%A0%80", {}),
    "path-nul": ("/api/events/t/%00", {}),
    "path-long": ("/api/events/t/" + "x" * 3000, {}),
}


@pytest.mark.parametrize(("path", "headers"), NO_TOKEN.values(), ids=NO_TOKEN)
def test_without_a_locations_token_it_is_401(
    client: Desk, path: str, headers: dict[str, str | bytes]
) -> None:
    answer = client.appliance.post(path, json=GOOD, headers=headers)
    client.refused(answer, 401)
    assert answer.headers["WWW-Authenticate"]
    assert WRONG not in client.appliance.log and WRONG not in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"no JSON", JSON), (call().encode(), "text/plain"), (b"x" * (2 * MIB), JSON), (b"[]", JSON)],
    ids=["no-json", "no-kind", "too-large", "no-event"],
)
def test_who_has_no_token_learns_nothing_else(client: Desk, body: bytes, kind: str) -> None:
    client.refused(client.post(body, kind, Authorization=f"Bearer {WRONG}"), 401)


# --- 413, and bodies that are not as long as they say ---


def in_chunks(body: bytes) -> Iterable[bytes]:
    """As ``Transfer-Encoding: chunked``: without a Content-Length."""
    return (body[at : at + 65_536] for at in range(0, len(body), 65_536))


TOO_LARGE: dict[str, tuple[bytes, str]] = {
    "one-byte-over": (call().encode().ljust(MIB + 1), JSON),
    "ten-megabytes": (call(f'"x": "{"x" * 10_000_000}"').encode(), JSON),
    "ten-megabytes-of-nothing": (b"x" * 10_000_000, JSON),
    "event-and-then-space": (call().encode().ljust(3 * MIB), JSON),
    "form": (b"type=voicemail&x=" + b"x" * (2 * MIB), FORM),
}


@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
@pytest.mark.parametrize(("body", "kind"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_body_over_the_limit_is_413(client: Desk, body: bytes, kind: str, chunked: bool) -> None:
    """Above all not: cut at the limit, and what is left taken for the event."""
    client.refused(client.post(in_chunks(body) if chunked else body, kind), 413)


def test_a_length_over_the_limit_is_413_before_the_body_is_there(client: Desk) -> None:
    began = time.monotonic()
    assert client.raw(f"Content-Type: {JSON}\r\nContent-Length: 10000000", call().encode()) == 413
    assert time.monotonic() - began < 20
    client.left_nothing()


@pytest.mark.parametrize(
    ("kind", "body"),
    [(JSON, call().encode()), (FORM, b"type=voicemail&to=50")],
    ids=["json", "form"],
)
def test_a_body_that_breaks_off_before_its_length_is_400(client: Desk, kind: str, body: bytes) -> None:
    """The rest was lost on the way: "to" was 5010 once."""
    assert client.raw(f"Content-Type: {kind}\r\nContent-Length: {len(body) + 2}", body, hang_up=True) == 400
    client.left_nothing()


def test_a_body_longer_than_its_length_is_cut_there_and_is_400(client: Desk) -> None:
    body = call().encode()
    assert client.raw(f"Content-Type: {JSON}\r\nContent-Length: {len(body) - 2}", body) == 400
    client.left_nothing()


@pytest.mark.parametrize("length", ["-1", "1e3", "20, 20", "0x14", ""])
def test_a_length_that_is_no_number_is_400(client: Desk, length: str) -> None:
    assert (
        client.raw(f"Content-Type: {JSON}\r\nContent-Length: {length}", call().encode(), hang_up=True) == 400
    )
    client.left_nothing()


BROKEN_CHUNKS = {
    "size-no-number": b"zz\r\n" + call().encode() + b"\r\n0\r\n\r\n",
    "size-negative": b"-1\r\n" + call().encode() + b"\r\n0\r\n\r\n",
    "size-too-large": b"fff\r\n" + call().encode() + b"\r\n0\r\n\r\n",
    "size-too-small": b"5\r\n" + call().encode() + b"\r\n0\r\n\r\n",
    "no-last-chunk": b"%x\r\n%s\r\n" % (len(call()), call().encode()),
    "no-chunk": b"",
}


@pytest.mark.parametrize("body", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
def test_broken_chunks_are_400(client: Desk, body: bytes) -> None:
    assert client.raw(f"Content-Type: {JSON}\r\nTransfer-Encoding: chunked", body, hang_up=True) == 400
    client.left_nothing()


def test_after_413_the_connection_goes_on_or_says_that_it_ends(
    appliance: Appliance, place: tuple[str, str]
) -> None:
    """A PBX that keeps its connection does not lose the next event by having sent one too large."""
    connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=10)
    headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": JSON}
    statuses = []
    for body in (call().encode().ljust(MIB + 1), call().encode()):
        connection.request("POST", "/api/events", body, headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [413, 202]


# --- the log ---

# Where a token can stand in a request, right or wrong, and requests that go wrong.
PLACES = [
    ("/api/events", "Authorization: Bearer {token}"),
    ("/api/events", "Authorization: Basic {basic}"),
    ("/api/events?token={token}", ""),
    ("/api/events?x=1&token={token}?uuid=1", ""),
    ("/api/events/t/{token}", ""),
    ("/api/events/t/{token}?foo=bar", ""),
    ("/api/events/t/{token}/more", ""),
    ("/api/events/{token}", ""),
    ("/api/event/t/{token}", ""),
    ("/API/events?Token={token}", ""),
    ("//api/events//t//{token}", ""),
    ("/{token}", ""),
]
NO_HTTP = [
    "POST /api/events/t/{token} HTTP/1.1 x\r\nHost: pbx\r\n\r\n",
    "POST /api/events/t/{token} x HTTP/1.1\r\nHost: pbx\r\n\r\n",
    "POST /api/event/t/{token}\r\nHost: pbx\r\n\r\n",
    "POST /{token}\r\nHost: pbx\r\n\r\n",
    "POST /api/events HTTP/1.1\r\nHost: pbx\r\nAuthorization Bearer {token}\r\n\r\n",
    "POST /api/events HTTP/1.1\r\nHost: pbx\r\nAuthorization:\r\n Bearer {token}\r\n\r\n",
    "POST /api/events HTTP/1.1\r\nHost: pbx\r\nAuthorization: Bearer {token}\0\r\n\r\n",
    "POST /api/events HTTP/1.1\r\nHost: pbx\r\nBearer {token}: x\r\n\r\n",
    "{token} /api/events HTTP/1.1\r\nHost: pbx\r\n\r\n",
    "POST /api/events/t/{token} HTTP/1.1\r\nHost: pbx\r\nContent-Length: x\r\n\r\n",
    "POST /api/events HTTP/1.1\r\nHost: pbx\r\nExpect: {token}\r\n\r\n",
    "POST /api/events HTTP/1.1\r\nHost: pbx\r\nTransfer-Encoding: {token}\r\n\r\n",
    "POST /api/events/t/{token} HTTP/1.1\r\nHost: pbx\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST /api/events/t/{token} HTTP/1.1\r\nHost: pbx\r\nX: " + "x" * 70_000 + "\r\n\r\n",
    "POST /api/events/t/{token}" + "x" * 9000 + " HTTP/1.1\r\nHost: pbx\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("right", [True, False], ids=["right-token", "wrong-token"])
@pytest.mark.parametrize("form", ["text", "bad-json", "good-json", "too-large"])
def test_no_token_comes_into_the_log_wherever_it_stood(
    appliance: Appliance, place: tuple[str, str], right: bool, form: str
) -> None:
    token = place[1] if right else f"wrong-{uuid.uuid4().hex}"
    body = {"text": b"x", "bad-json": b"{", "good-json": call().encode(), "too-large": b" " * (MIB + 1)}[form]
    for path, header in PLACES:
        name, _, value = header.format(token=token, basic=basic("pbx", token)[6:]).partition(": ")
        headers = {"Content-Type": "text/plain" if form == "text" else JSON, "Connection": "close"}
        answer = appliance.post(
            path.format(token=token), data=body, headers=headers | ({name: value} if name else {})
        )
        assert answer.status_code < 500, answer.text
        log = appliance.log
        assert token not in log and basic("pbx", token)[6:] not in log, path


@pytest.mark.parametrize("request_", NO_HTTP, ids=range(len(NO_HTTP)))
def test_no_token_comes_into_the_log_from_what_is_no_http(
    appliance: Appliance, place: tuple[str, str], request_: str
) -> None:
    token = place[1]
    status = status_of(appliance, request_.format(token=token).encode(), hang_up=True)
    assert 400 <= status < 500 or status == 501
    assert token not in appliance.log


# --- what looks bad and is not ---

FINE: dict[str, tuple[bytes | str, str]] = {
    "bom": (b"\xef\xbb\xbf" + call().encode(), JSON),
    "bom-and-batch": (b"\xef\xbb\xbf" + f"[{call()}]".encode(), JSON),
    "space-around": (f"\r\n\t {call()} \n", JSON),
    "charset": (call('"to_name": "Jürgen"'), "application/json; charset=utf-8"),
    "names-of-1000-characters": (call(f'"to_name": "{"ß" * 1000}"', f'"from": "{"😀" * 1000}"'), JSON),
    "names-null": (call('"to": null', '"from": null', '"to_name": null', '"from_name": null'), JSON),
    "ids-null": (call('"id": null', '"thread_id": null', '"timestamp": null'), JSON),
    "subtype-null-on-media": (media('"subtype": null'), JSON),
    "whole-pair": (call('"to_name": "\\ud83d\\ude00"'), JSON),
    "backslash-u-as-text": (call('"x": "\\\\u0000 \\\\ud83d"'), JSON),
    "same-key-on-two-levels": (call('"x": {"to": 1, "x": {"to": 2}}', '"to": "3"'), JSON),
    "same-key-in-two-spellings-of-two-objects": (call('"x": [{"a": 1}, {"\\u0061": 2}]'), JSON),
    "nan-as-text": (call('"x": "NaN"'), JSON),
    "largest-double": (call('"x": [1.7976931348623157e308, -1.7976931348623157e308]'), JSON),
    "smallest-double": (call('"x": [5e-324, 1e-999, -0.0]'), JSON),
    "integer-of-4300-digits": (call(f'"x": [{"9" * 4300}, -{"9" * 4300}]'), JSON),
    "64-levels": (call(f'"x": {"[" * 63}{"]" * 63}'), JSON),
    "64-levels-in-a-batch": ("[" + call(f'"x": {"[" * 63}{"]" * 63}') + "]", JSON),
    "brackets-in-text": (call(f'"x": "{"[" * 500}\\"{"{" * 500}"'), JSON),
    "many-brackets-side-by-side": (call(f'"x": [{",".join(["[{}]"] * 500)}]'), JSON),
    "long-thread": (call(f'"thread_id": "{"x" * 5000}"'), JSON),
    "one-mebibyte": (call().encode().ljust(MIB), JSON),
    "form-with-charset": ("type=voicemail&to_name=J%C3%BCrgen", f"{FORM}; charset=UTF-8"),
    "form-with-empty-names": ("type=voicemail&to=&from=&to_name=&from_name=", FORM),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind"), FINE.values(), ids=FINE)
@pytest.mark.databases("all")
def test_what_only_looks_bad_is_taken(
    appliance: Appliance, place: tuple[str, str], body: bytes | str, kind: str
) -> None:
    headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": kind}
    data = body.encode() if isinstance(body, str) else body
    answer = appliance.post("/api/events", data=data, headers=headers)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
@pytest.mark.databases("all")
def test_a_batch_of_1000_is_taken(appliance: Appliance, place: tuple[str, str], chunked: bool) -> None:
    body = json.dumps([GOOD] * 1000).encode()
    headers = {"Authorization": f"Bearer {place[1]}", "Content-Type": JSON}
    answer = appliance.post("/api/events", data=in_chunks(body) if chunked else body, headers=headers)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1000)
