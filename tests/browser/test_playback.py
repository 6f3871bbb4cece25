"""A link of a payload in Chromium's own player: it plays, knows its length, and jumps."""

import pytest
from appliance import Appliance
from media import client, sounds
from playwright.sync_api import Page
from receiver import Receiver

pytestmark = [pytest.mark.browser, pytest.mark.databases("one")]

_PLAY = """
async (link) => {
  const audio = new Audio(link);
  audio.muted = true;
  await new Promise((done, failed) => {
    audio.oncanplay = done;
    audio.onerror = () => failed(new Error(audio.error.message));
  });
  const length = audio.duration;
  audio.currentTime = 150;
  await new Promise((done) => { audio.onseeked = done; });
  const begun = audio.currentTime;
  await audio.play();
  await new Promise((done) => setTimeout(done, 1000));
  audio.pause();
  return [length, begun, audio.currentTime];
}
"""


def test_chromium_plays_and_seeks(
    appliance: Appliance, place: tuple[str, str], receiver: Receiver, page: Page
) -> None:
    appliance.webhook(place[0], receiver.url("/media"), "media")
    assert client.send(appliance, place[1], sounds.long_wav(180)).status_code == 202
    link = client.arrived(receiver, "/media").json["attachments"]
    ranges = []
    page.on("request", lambda request: ranges.append(request.headers.get("range")))
    page.goto(f"{appliance.url}/healthz")  # a page of the same origin, without a policy of its own
    length, begun, later = page.evaluate(_PLAY, link)
    assert abs(length - 180) < 0.1
    assert abs(begun - 150) < 0.5 and begun + 0.3 < later < begun + 3
    assert any(each and each.startswith("bytes=") for each in ranges)
