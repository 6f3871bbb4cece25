""" "It did not arrive": whatever the cause is, the first sentence of a page names it.

A row of ``CASES`` is a case and the beginning of that sentence; what follows a "…" stands further on. A case
makes it happen in a location of its own and returns the page to look at.
"""

import contextlib
import html
import re
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from appliance import Appliance, Visitor, eventually, free_port
from certificates import make
from media import client, sounds
from receiver import Answer, Receiver

pytestmark = pytest.mark.databases("one")


class Receivers:
    """One that speaks plain HTTP, and those with certificates, made as they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.plain, self._folder, self._secure = Receiver(), folder, dict[str, Receiver]()
        self.authority = make("Test authority", is_authority=True)

    def secure(self, kind: str) -> Receiver:
        """A receiver whose certificate for localhost is its own ("self-signed"), or of the authority."""
        if kind not in self._secure:
            made = make("localhost", None if kind == "self-signed" else self.authority)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._file(f"{kind}.pem", made.pem))
            self._secure[kind] = Receiver(context)
        return self._secure[kind]

    def authority_file(self) -> Path:
        """The authority's certificate, as a webhook is given it."""
        return self._file("authority.pem", self.authority.certificate)

    def _file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path

    def close(self) -> None:
        for one in (self.plain, *self._secure.values()):
            one.close()


class Scene:
    """A location with one webhook, and what can be done there."""

    def __init__(self, patient: Appliance, receivers: Receivers) -> None:
        self.patient, self.receivers, self.receiver = patient, receivers, receivers.plain
        self.office = f"Office {uuid.uuid4().hex[:8]}"
        self.token = patient.location(self.office)
        self.webhook = 0
        self.after = contextlib.ExitStack()  # what is undone once the page was looked at

    def add(self, url: str, **options: Any) -> "Scene":
        self.webhook = self.patient.webhook(self.office, url, **options)["id"]
        return self

    def answering(self, *answers: Answer | int, **options: Any) -> "Scene":
        """A webhook whose receiver answers so."""
        path = f"/{uuid.uuid4().hex}"
        self.receiver.answers[path] = [*answers]
        return self.add(self.receiver.url(path), **options)

    def ring(self, count: int = 1, **fields: Any) -> str:
        """Events; the page of the last one's delivery."""
        for _ in range(count):
            self.patient.ring(self.token, **fields)
        return f"/deliveries/{self.newest['id']}"

    def tried(self, attempts: int = 1) -> str:
        """An event whose delivery has been tried so often; its page."""
        page = self.ring()
        for tries in range(1, attempts + 1):
            eventually(lambda so_often=tries: self.newest["attempts"] == so_often)
            if tries < attempts:
                self.cli("delivery", "now", self.newest["id"])
        return page

    def cli(self, *arguments: object) -> None:
        """A command; one that waits for a delivery that fails ends with status 1."""
        self.patient.invoke(*arguments)

    def all(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.patient.cli("delivery", "list", "--webhook", self.webhook)
        return listed

    @property
    def newest(self) -> dict[str, Any]:
        return self.all()[0]

    @property
    def page(self) -> str:
        return f"/webhooks/{self.webhook}"


def says(raw: bytes) -> Answer:
    """An answer of these bytes."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        if raw:
            handler.wfile.write(raw)
            handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    return Answer(raw=write)


def dead(scene: Scene) -> Scene:
    return scene.add(f"http://127.0.0.1:{free_port()}/hook")


def certificate(scene: Scene, kind: str, host: str = "localhost", *, known: bool = False) -> str:
    """A receiver with such a certificate, called by this name. ``known``: the webhook has its authority."""
    receivers = scene.receivers
    options = {"ca": receivers.authority_file()} if known else {}
    return scene.add(f"https://{host}:{receivers.secure(kind).port}/", **options).tried()


def date(scene: Scene) -> str:
    """A 503 with a date."""
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    return scene.answering(Answer(503, {"Retry-After": until})).tried()


def behind_retry_after(scene: Scene) -> str:
    scene.answering(Answer(429, {"Retry-After": "3600"})).tried()
    return scene.ring()


def behind_open_circuit(scene: Scene) -> str:
    dead(scene).ring(20)
    eventually(lambda: sum(one["attempts"] for one in scene.all()) >= 5)
    return f"/deliveries/{scene.newest['id']}"


def behind_earlier_message(scene: Scene) -> str:
    scene.answering(500)
    scene.ring(thread_id=scene.office)
    eventually(lambda: scene.newest["attempts"] == 1)
    return scene.ring(thread_id=scene.office, subtype="ended")


def beyond_rate(scene: Scene) -> str:
    scene.answering(200, rate=0.001)
    return scene.ring(5)


def paused(scene: Scene) -> str:
    scene.answering(200)
    scene.cli("webhook", "pause", scene.webhook)
    return scene.ring()


def dropped_on_resume(scene: Scene) -> str:
    page = paused(scene)
    scene.cli("webhook", "resume", scene.webhook, "--drop-held")
    return page


def expired(scene: Scene) -> str:
    scene.answering(200, max_age=1)
    scene.cli("webhook", "pause", scene.webhook)
    page = scene.ring()
    accepted_at = datetime.fromisoformat(scene.newest["accepted_at"])
    eventually(lambda: datetime.now(UTC) - accepted_at > timedelta(seconds=2.5))
    scene.cli("webhook", "resume", scene.webhook)
    return page


def webhook_deleted(scene: Scene) -> str:
    page = scene.answering(500).tried()
    scene.cli("webhook", "delete", scene.webhook)
    return page


def failed_test(scene: Scene) -> str:
    scene.answering(500)
    scene.cli("webhook", "test", scene.webhook)
    return f"/deliveries/{scene.newest['id']}"


def no_filter_matches(scene: Scene) -> str:
    scene.answering(200, type="outgoing_call")
    event = scene.patient.ring(scene.token)
    query = "SELECT id FROM event WHERE uid = :uid"
    return f"/events/{scene.patient.rows(query, uid=uuid.UUID(event).bytes)[0].id}"


def location_paused(scene: Scene) -> str:
    scene.patient.cli("location", "pause", scene.office)
    assert scene.patient.event(scene.token, type="incoming_call", subtype="ringing").status_code == 403
    return f"/locations/{scene.patient.location_id(scene.office)}"


def recording_broken(scene: Scene) -> str:
    """It begins well and breaks off in the middle."""
    scene.answering(200, kind="media")
    whole = sounds.coded("libmp3lame", "mp3", 24000, [sounds.speech(24000, 6)])
    half, part = len(whole) // 2, len(whole) // 4
    damaged = whole[:half] + b"\xaa" * part + whole[half + part :]
    assert client.send(scene.patient, scene.token, damaged).status_code == 202
    return f"/deliveries/{scene.newest['id']}"


def converting(scene: Scene) -> str:
    """The converters stand still: a recording is converted in less time than a page takes."""
    scene.answering(200, kind="media")
    for process in [*scene.patient.named("rq:worker:media"), *scene.patient.named("spoke: media")]:
        process.suspend()
        scene.after.callback(process.resume)
    assert client.send(scene.patient, scene.token, sounds.long_wav(5)).status_code == 202
    return f"/deliveries/{scene.newest['id']}"


def refused_by_the_hook(scene: Scene) -> str:
    answer = scene.patient.event(scene.token, type="incoming_call", subtype="eaten")
    assert answer.status_code == 422
    return f"/locations/{scene.patient.location_id(scene.office)}"


def wrong_token(scene: Scene) -> str:
    answer = scene.patient.event("wrong-token", type="incoming_call", subtype="ringing", note=scene.office)
    assert answer.status_code == 401
    return "/locations/refusals"


def failing_webhook(scene: Scene) -> str:
    scene.answering(500).tried()
    return scene.page


def webhook_that_lost(scene: Scene) -> str:
    scene.answering(500, 500, 500, 200).tried(3)
    scene.tried()
    return scene.page


def never_tried(scene: Scene) -> str:
    return scene.answering(200).page


CASES: list[tuple[str, Callable[[Scene], str], str]] = [
    ("500", lambda at: at.answering(500).tried(),
     "Retrying: The receiver answered 500. 1 try failed, the next is"),
    ("401", lambda at: at.answering(401).tried(), "Retrying: The receiver answered 401"),
    ("404", lambda at: at.answering(404).tried(), "Retrying: The receiver answered 404"),
    ("a redirect", lambda at: at.answering(Answer(301, {"Location": "http://x.example/"})).tried(),
     "Retrying: The receiver answered 301, a redirect to http://x.example/: redirects are not followed."),
    ("gone", lambda at: at.answering(410).tried(),
     "Held: Webhook {id} is disabled: The receiver answered 410 Gone."),
    ("429 with a time", lambda at: at.answering(Answer(429, {"Retry-After": "3600"})).tried(),
     "Retrying: The receiver answered 429. It asked to wait until"),
    ("503 with a date", date, "Retrying: The receiver answered 503. It asked to wait until"),
    ("behind a Retry-After", behind_retry_after, "Waiting: The receiver asked to wait until"),
    ("nothing listens", lambda at: dead(at).tried(),
     "Retrying: The receiver refused the connection: nothing listens at that address and port."),
    ("it hangs", lambda at: at.answering(Answer(seconds=3)).tried(),
     "Retrying: No complete answer within 2 seconds."),
    ("it hangs up", lambda at: at.answering(says(b"")).tried(),
     "Retrying: The receiver closed the connection without an answer."),
    ("no HTTP", lambda at: at.answering(says(b"220 mail.example ESMTP\r\n")).tried(),
     "Retrying: The receiver's answer is not HTTP: it begins with “220 mail.example ESMTP”."),
    ("no TLS", lambda at: at.add(at.receiver.url("/x").replace("http:", "https:")).tried(), "Retrying: "),
    ("no such name", lambda at: at.add("http://nosuch.invalid/hook").tried(),
     "Retrying: Could not resolve host nosuch.invalid"),
    ("behind an open circuit", behind_open_circuit, "Waiting: Webhook {id} has not answered since"),
    ("behind an earlier message of its call", behind_earlier_message,
     "Waiting: An earlier message of its call comes first: delivery"),
    ("beyond the rate", beyond_rate, "Waiting: Webhook {id} sends at most 0.001 a second."),
    ("paused", paused, "Held: Webhook {id} is paused. Resume it to send this delivery."),
    ("dropped on resume", dropped_on_resume, "Dropped: It was dropped when its webhook was resumed."),
    ("too old", expired, "Expired: It was older than its webhook's maximum age when its turn came"),
    ("webhook deleted", webhook_deleted, "Dropped: Its webhook was deleted."),
    ("failed for good", lambda at: at.answering(500).tried(3),
     "Failed: The receiver answered 500. 3 attempts failed. Resend it once the receiver works."),
    ("a test that failed", failed_test, "Test failed: The receiver answered 500."),
    ("no filter matches", no_filter_matches, "It matched no webhook, so it was not sent."),
    ("location paused", location_paused, "Paused: its PBX is losing events."),
    ("its recording is broken", recording_broken,
     "Delivered: The receiver took it at attempt 1. Its recording is damaged:"),
    ("a self-signed certificate", lambda at: certificate(at, "self-signed"),
     "Retrying: The receiver's certificate cannot be trusted: it is self-signed"),
    ("an unknown authority", lambda at: certificate(at, "authority"),
     "Retrying: The receiver's certificate cannot be trusted: its authority is not known here"),
    ("a certificate for another name", lambda at: certificate(at, "authority", "127.0.0.1", known=True),
     "Retrying: The receiver's certificate cannot be trusted: it is not for the address"),
    ("its recording is being converted", converting, "Waiting: Its recording is being converted to MP3."),
    ("refused by the hook", refused_by_the_hook, "Refused today: 1. Last …: /subtype has to be one of"),
    ("a wrong token", wrong_token, "Refused today: …: "),
    ("a webhook that fails", failing_webhook, "Failing: Since"),
    ("a webhook never tried", never_tried, "Nothing sent yet"),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    some = Receivers(tmp_path_factory.mktemp("certificates"))
    yield some
    some.close()


@pytest.fixture(scope="module")
def admin(patient: Appliance) -> Visitor:
    return Visitor(patient)


def first_sentence(page: str) -> str:
    """What the page says first below its title, without its icon."""
    main = page[page.index("</h1>") :]
    said = re.search(r'<p class="(?:lead|notice warn)">(.*?)</p>', main, re.DOTALL)
    text = re.sub(r'<span aria-hidden="true">.*?</span>|<[^>]+>', "", said[1] if said else "")
    return html.unescape(" ".join(text.split()))


@pytest.mark.parametrize(("case", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_first_sentence_names_the_cause(
    patient: Appliance, answers: Receivers, admin: Visitor, case: Callable[[Scene], str], sentence: str
) -> None:
    scene = Scene(patient, answers)
    begins, _, names = sentence.partition("…")
    seen: list[str] = []

    def told() -> bool:
        seen[:] = [first_sentence(admin.get(path).text)]
        return seen[0].startswith(begins) and names in seen[0]

    with scene.after:
        path = case(scene)
        begins = begins.replace("{id}", str(scene.webhook))
        try:
            eventually(told, 10, 0.1)
        except AssertionError:
            pytest.fail(f"{path} says: {seen[0]}")


def test_what_was_lost_is_told_on_top_and_sent_by_one_button(
    patient: Appliance, answers: Receivers, admin: Visitor
) -> None:
    scene = Scene(patient, answers)
    page = admin.get(webhook_that_lost(scene)).text
    assert "1 delivery was never received" in page
    form = page[page.index('<form class="notice warn"') :]
    fields = dict(re.findall(r'name="(since|state)" value="([^"]*)"', form))
    assert admin.post(f"{scene.page}/replay", **fields).status_code == 303
    eventually(lambda: {one["state"] for one in scene.all()} == {"delivered"})
    assert "never received" not in admin.get(scene.page).text


def test_now_is_a_button_where_something_waits(
    patient: Appliance, answers: Receivers, admin: Visitor
) -> None:
    scene = Scene(patient, answers)
    page = scene.answering(500, 500, 200).tried()
    assert "Try now" in admin.get(page).text
    assert admin.post(f"{page}/now").headers["Location"] == f"{page}?tried=1"
    eventually(lambda: scene.newest["attempts"] == 2)
    assert "Try all waiting now (1)" in admin.get(scene.page).text
    followed = admin.post(f"{scene.page}/now").headers["Location"]
    assert followed == f"{scene.page}?tried={scene.newest['id']}&attempts=2"
    told = eventually(lambda: (text := admin.get(followed).text) and "result notice" in text and text)
    assert "200 in" in told and 'http-equiv="refresh"' not in told and "/tried?" not in told
    assert "Try now" not in admin.get(page).text and "Try all" not in admin.get(scene.page).text


def test_what_is_tried_now_is_followed_without_a_script(
    patient: Appliance, answers: Receivers, admin: Visitor
) -> None:
    """A page asks for itself again while the attempt is to come, and only then."""
    scene = Scene(patient, answers)
    waits, again = behind_retry_after(scene), '<noscript><meta http-equiv="refresh"'
    number = waits.rpartition("/")[2]
    for page in (f"{waits}?tried=0", f"{scene.page}?tried={number}"):
        assert again in admin.get(page).text
    for page in (waits, scene.page):
        assert again not in admin.get(page).text
    fragment = admin.get(f"{waits}/tried").text
    assert "Waiting" in fragment and f"/deliveries/{number}/tried?attempts=0" in fragment
    first = scene.all()[-1]["id"]
    for page in (f"/deliveries/{first}?tried=0", f"{scene.page}?tried={first}"):
        assert again not in admin.get(page).text, "it has had its attempt"


def test_the_csv_and_the_log_tell_the_same(patient: Appliance, answers: Receivers, admin: Visitor) -> None:
    scene = Scene(patient, answers)
    scene.answering(500).tried()
    said = "The receiver answered 500. 1 try failed, the next is at"
    assert f',retrying,"{said}' in admin.get(f"/deliveries.csv?webhook={scene.webhook}&state=failing").text
    log = admin.get(f"/deliveries?webhook={scene.webhook}&state=failing").text
    assert "Retrying" in log and "Pending" not in log[log.index("<tbody") : log.index("</tbody")]
    assert said in scene.newest["explanation"]
