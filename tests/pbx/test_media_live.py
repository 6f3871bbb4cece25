"""From the page's lines at a real Asterisk to a recording and a voicemail that sound like what was said."""

import asyncio
import html
import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from appliance import Appliance, Visitor, eventually
from asterisk import Lab, build_or_skip, state
from labkit import server, sip
from media.sounds import decoded, likeness, speech
from receiver import Receiver

pytestmark = pytest.mark.databases("one")

RATE = 8000
SAID, OTHERS = speech(RATE, 2.4, seed=1), speech(RATE, 2.4, seed=5)
CALLER = "+12025550123"


def say(sound: Any, samples: list[float]) -> None:
    """Have a leg of the lab say this, over and over, in place of its tone."""
    coded = bytes(sip.ulaw(int(sample * 16_000)) for sample in samples)
    frames = itertools.cycle([coded[at : at + 160] for at in range(0, len(coded), 160)])
    packet = sound.packet
    sound.packet = lambda kind, payload, mark=False: packet(kind, payload if kind else next(frames), mark)


async def recorded(lab: Any) -> None:
    """A call to 5010, recorded; the caller speaks."""
    provider, phone = await lab.provider(), await lab.phone("5010")
    outer = await provider.call("+12025550116", CALLER, "Clearly IP")
    say(outer.sound, SAID)
    inner = await phone.next_call()
    say(inner.sound, [0.0] * 160)
    inner.ring()
    await inner.answer()
    await outer.answered()
    await asyncio.sleep(2.2)
    outer.hangup()
    await inner.over()


async def voicemail_left(lab: Any) -> None:
    """5010 is busy; the caller skips the greeting and speaks."""
    provider, phone = await lab.provider(), await lab.phone("5010")
    outer = await provider.call("+12025550115", CALLER, "Clearly IP")
    say(outer.sound, SAID)
    (await phone.next_call()).refuse(486)
    await outer.answered()
    await asyncio.sleep(0.8)
    await outer.digits("#")
    await asyncio.sleep(2.6)
    outer.hangup()


def loudness(samples: list[float], step: int = 40) -> list[float]:
    return [sum(map(abs, samples[at : at + step])) for at in range(0, len(samples) - step + 1, step)]


def alike(heard: list[float], said: list[float]) -> float:
    """The likeness of the best third of a second of what is heard to any place of what was said."""
    said = said + said[: RATE // 2]
    best = 0.0
    for start in range(RATE // 2, len(heard) - 3200, 2400):
        piece = heard[start : start + 2400]
        shape, whole = loudness(piece), loudness(said)
        mean = sum(shape) / len(shape)
        centred = [value - mean for value in shape]
        places = sorted(
            range(len(whole) - len(shape)), key=lambda at: -likeness(centred, whole[at : at + len(shape)])
        )[:15]
        near = {sample for at in places for sample in range(max(0, 40 * at - 40), 40 * at + 40)}
        best = max(best, *(likeness(piece, said[at : at + 2400]) for at in near if at + 2400 <= len(said)))
        if best > 0.9:
            break
    return best


class Site:
    """A phone system that is set up by the page's own lines, in a folder in place of its root."""

    def __init__(self, folder: Path, appliance: Appliance, location: str, token: str) -> None:
        self.folder = folder
        self.run(appliance, location, token, "fetch", "token-file", "cron")

    def page(self, appliance: Appliance, location: str, token: str) -> dict[str, str]:
        """The page's lines by their names, with the token filled in."""
        visitor = Visitor(appliance)
        path = f"/locations/{appliance.location_id(location)}/asterisk/media"
        assert visitor.post(f"{path}/token", token=token).status_code == 303
        blocks = re.findall(r'<pre id="([^"]+)"[^>]*>(.*?)</pre>', visitor.get(path).text, re.S)
        return {name: self.here(html.unescape(text)) for name, text in blocks}

    def here(self, text: str) -> str:
        for there, here in {
            "/usr/local/bin": f"{self.folder}/bin", "/etc/": f"{self.folder}/etc/",
            "/var/spool/asterisk": f"{self.folder}/spool", "-o asterisk -g asterisk ": "",
            "runuser -u asterisk -- ": "",
        }.items():  # fmt: skip
            text = re.sub(rf"(?<![\w/]){re.escape(there)}", here, text)
        return text

    def run(self, appliance: Appliance, location: str, token: str, *names: str) -> None:
        """Run lines of the page as root would, at this phone system."""
        for part in ("bin", "etc/asterisk", "etc/cron.d", "spool/monitor", "spool/voicemail"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.lines = self.page(appliance, location, token)
        for name in names:
            done = subprocess.run(["sh", "-c", self.lines[name]], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            if name == "fetch":
                script = self.folder / "bin" / "spoke-media.sh"
                script.write_text(self.here(script.read_text()))
        assert "knows the token" in done.stdout

    def retry(self) -> None:
        """What cron does."""
        line = (self.folder / "etc/cron.d/spoke-media").read_text()
        subprocess.run(["sh", "-c", line.partition(" asterisk ")[2]], check=True)


@pytest.fixture(scope="module")
def office(appliance: Appliance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Site, str]]:
    """An Asterisk that records and takes messages, connected to the shared appliance."""
    build_or_skip("22")
    folder = tmp_path_factory.mktemp("pbx")
    site = Site(folder, appliance, "Recorded", appliance.location("Recorded"))
    notify = site.lines["externnotify"].removeprefix("externnotify = ")
    with server.Asterisk(
        "22", folder=folder, on_recording=site.lines["freepbx"], on_voicemail=notify
    ) as running:
        lab = Lab(running)
        lab.connect(appliance, "Recorded")
        yield lab, site, "Recorded"


def play(lab: Lab, course: Callable[[Any], Any]) -> None:
    lab.play(SimpleNamespace(course=course))


def heard(event: dict[str, Any]) -> list[float]:
    """What the link of an event plays."""
    answer = requests.get(event["attachments"], timeout=10)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "audio/mpeg"
    return decoded(answer.content, "mp3", RATE)[1][0]


def test_a_recorded_call_arrives_with_its_call_and_what_was_said(
    appliance: Appliance, receiver: Receiver, office: tuple[Lab, Site, str]
) -> None:
    lab, _, location = office
    hooks = [
        appliance.webhook(location, receiver.url("/calls")),
        appliance.webhook(location, receiver.url("/media"), kind="media", type="call_recording"),
    ]
    play(lab, recorded)
    (event,) = [request.json for request in receiver.wait("/media", 1, 20)]
    calls = [request.json for request in receiver.wait("/calls", 3)]
    for hook in hooks:
        appliance.cli("webhook", "delete", hook["id"])
    assert {call["thread_id"] for call in calls} == {event["thread_id"]}
    parties = ("from", "to", "from_name", "to_name")
    assert [event[name] for name in parties] == [calls[-1][name] for name in parties]
    assert (event["from"], event["to"], event["from_name"]) == (CALLER, "5010", "Clearly IP")
    sound = heard(event)
    assert alike(sound, SAID) > 0.9 > 0.6 > alike(sound, OTHERS)


def test_a_voicemail_arrives_with_its_call_and_what_was_said(
    appliance: Appliance, receiver: Receiver, office: tuple[Lab, Site, str]
) -> None:
    lab, _, location = office
    hooks = [
        appliance.webhook(location, receiver.url("/calls")),
        appliance.webhook(location, receiver.url("/media"), kind="media", type="voicemail"),
    ]
    play(lab, voicemail_left)
    (event,) = [request.json for request in receiver.wait("/media", 1, 20)]
    call = receiver.wait("/calls")[-1].json
    for hook in hooks:
        appliance.cli("webhook", "delete", hook["id"])
    assert (event["thread_id"], event["from"], event["to"]) == (call["thread_id"], CALLER, "5010")
    assert (event["from_name"], event["mailbox"]) == ("Clearly IP", "5010@default")
    sound = heard(event)
    assert alike(sound, SAID) > 0.9 > 0.6 > alike(sound, OTHERS)


def test_what_comes_while_the_appliance_is_away_is_there_once_it_is_back(
    start_appliance: Callable[..., Appliance], receiver: Receiver, office: tuple[Lab, Site, str]
) -> None:
    lab, site, _ = office
    own = start_appliance()
    token = own.location("Away")
    own.webhook("Away", receiver.url("/media"), kind="media")
    site.run(own, "Away", token, "token-file", "cron")
    lab.connect(own, "Away")
    own.stop()
    play(lab, recorded)
    play(lab, voicemail_left)
    spool = site.folder / "spool" / "spoke-media" / "spool"
    eventually(lambda: len(list(spool.glob("*/event"))) == 2, 20)
    own.start()
    site.retry()
    site.retry()
    # Each is sent once its own conversion is over: the order of the two is not ours to choose.
    events = {request.json["type"]: request.json for request in receiver.wait("/media", 2, 20)}
    assert sorted(events) == ["call_recording", "voicemail"]
    for event in events.values():
        assert (event["from"], event["to"]) == (CALLER, "5010")
        assert alike(heard(event), SAID) > 0.9
    assert state(own, "Away")["system"] == "asterisk" and not list(spool.iterdir())
    assert len(receiver.at("/media")) == 2
