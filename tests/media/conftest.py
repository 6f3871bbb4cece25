"""Fixtures: ``voice``, a recording; ``link``, to one that a receiver got."""

import pytest
from appliance import Appliance, Place
from media import client, sounds
from receiver import Receiver


@pytest.fixture(scope="module")
def voice() -> bytes:
    """A second of it."""
    return sounds.wav(8000, [sounds.speech(8000, 1)])


@pytest.fixture
def link(appliance: Appliance, place: Place, receiver: Receiver, voice: bytes) -> str:
    """A download link, as a receiver got it."""
    appliance.webhook(place[0], receiver.url("/media"), "media")
    assert client.send(appliance, place[1], voice).status_code == 202
    return str(client.arrived(receiver, "/media").json["attachments"])
