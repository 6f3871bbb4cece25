"""Recorded calls of a real Asterisk, through the whole appliance: from its manager interface to Zoho."""

import socket
from collections.abc import Iterator

import pytest
from ami_server import SECRET, AmiServer, written
from media import client, sounds
from pbx.replaying import LAB, messages, translate
from zoho.courses import COURSES, EXTENSIONS, described
from zoho.site import Site

from webhooks.pbx.asterisk import AsteriskOptions, Translator
from webhooks.services.pbx import source_of

RECORDED = "answered_caller_ends"


@pytest.fixture
def asterisk() -> Iterator[AmiServer]:
    """Plays all courses, one after the other, to whoever has logged in."""

    def play(link: socket.socket) -> None:
        for name in COURSES:
            for _, fields in messages(LAB / "22" / f"{name}.jsonl.gz"):
                if ("Event", "FullyBooted") not in fields:  # that would be a restart
                    link.sendall(written(fields))

    one = AmiServer(play)
    yield one
    one.close()


def connected(site: Site, asterisk: AmiServer) -> AsteriskOptions:
    """Connect the location to the phone system. Returns how it is read: its calls' ids hang on that."""
    site.appliance.invoke(
        "pbx", "connect", site.name, "asterisk", "--host", "127.0.0.1", "--port", asterisk.port,
        "--user", "spoke", input=f"{SECRET}\n",
    )  # fmt: skip
    (row,) = site.appliance.rows("SELECT id FROM pbx_connection WHERE location_id = :id", id=site.id)
    return AsteriskOptions(source=source_of(site.id, row.id))


def call_of(name: str, options: AsteriskOptions) -> str:
    """The id under which a course's call is told."""
    (id_,) = {
        str(event["thread_id"])
        for event in translate(Translator(options), messages(LAB / "22" / f"{name}.jsonl.gz"))
    }
    return id_


def test_24_calls_of_asterisk_give_zoho_exactly_their_notices_in_order(
    site: Site, asterisk: AmiServer
) -> None:
    site.connect()
    site.map(EXTENSIONS)
    options = connected(site, asterisk)
    site.zoho.wait(sum(map(len, COURSES.values())), 60)
    calls = {name: call_of(name, options) for name in COURSES}
    told = {name: [*map(described, site.zoho.of_call(call))] for name, call in calls.items()}
    assert told == COURSES

    (linkedid,) = {
        value
        for _, fields in messages(LAB / "22" / f"{RECORDED}.jsonl.gz")
        for key, value in fields
        if key == "Linkedid"
    }
    sound = sounds.wav(8000, [sounds.speech(8000, 1)])
    client.send(site.appliance, site.token, sound, linkedid=linkedid, **{"to": None, "from": None})
    recorded = site.zoho.wait(sum(map(len, COURSES.values())) + 1)[-1]
    *_, ended = site.zoho.of_call(calls[RECORDED])[:-1]
    link = recorded.pop("voiceuri")
    assert recorded == ended, "the end is told once more, now with its recording"
    assert client.fetch(site.appliance, link).headers["Content-Type"] == "audio/mpeg"
