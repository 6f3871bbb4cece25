"""``kill -9`` between any two steps of a recording's way: never an event without its file, nor a file that
nobody owns, and what was answered is delivered."""

import contextlib
import re
import uuid
from collections.abc import Callable

import psutil
import pytest
import redis
import requests
from appliance import Appliance, eventually
from media import client, sounds
from receiver import Receiver

from webhooks.media.failpoints import STEPS

UPLOAD = STEPS[: STEPS.index("committed") + 1]


def in_order(appliance: Appliance) -> bool:
    """Each recording's row has its file, and each file its row."""
    rows = appliance.rows("SELECT m.id, m.state FROM event e LEFT JOIN media m ON m.event_id = e.id")
    wanted = {f"mp3/{row.id[:2]}/{row.id}.mp3" for row in rows if row.state == "ready"}
    wanted |= {f"waiting/{row.id}" for row in rows if row.state == "waiting"}
    return all(row.id for row in rows) and wanted == set(client.files(appliance))


@pytest.mark.parametrize(
    "step",
    # Before these two a row is written; at the others there is none yet, or files are moved beside it.
    [
        step if step in ("committed", "finished") else pytest.param(step, marks=pytest.mark.databases("one"))
        for step in STEPS
    ],
)
def test_a_kill_behind_a_step_costs_nothing(
    start_appliance: Callable[..., Appliance], receiver: Receiver, step: str
) -> None:
    one = start_appliance(SPOKE_TEST_KILL_AT=step)
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    event_id = str(uuid.uuid4())
    voice = sounds.long_wav(3)
    answer = None
    with contextlib.suppress(requests.ConnectionError):
        answer = client.send(one, token, voice, id=event_id)
    assert (answer is None) == (step in UPLOAD)
    if step not in UPLOAD:
        told = r'child=media(-short)? ending="killed by SIGKILL"'  # either may take it
        eventually(lambda: re.search(told, one.log), 60)
    known = bool(one.rows("SELECT id FROM event"))
    assert known == (step not in UPLOAD or step == "committed")
    for row in one.rows("SELECT id, state FROM media"):  # not even now is it without its file
        assert any(row.id in name for name in client.files(one))
    family = one.family()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert one.process is not None
    one.process.wait()
    assert psutil.wait_procs(family, 10)[1] == []  # or the lock and the port are still taken
    del one.environment["SPOKE_TEST_KILL_AT"]
    one.start()
    again = client.send(one, token, voice, id=event_id)  # the PBX had no answer, or asks once more
    assert again.status_code == (200 if known else 202), again.text
    payload = client.arrived(receiver, "/media").json
    got = client.fetch(one, payload["attachments"])
    rate, sides = sounds.decoded(got.content, "mp3")
    assert abs(len(sides[0]) / rate - 3) < 0.1
    eventually(lambda: in_order(one), 20)
    assert {sent.webhook_id for sent in receiver.at("/media")} == {event_id}
    assert one.rows("SELECT count(*) AS n FROM event")[0].n == 1


@pytest.mark.databases("one")
def test_a_lost_wake_up_costs_a_second(start_appliance: Callable[..., Appliance], receiver: Receiver) -> None:
    one = start_appliance()
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    converters = one.named("media")
    assert len(converters) == 2
    for process in converters:
        process.suspend()
    assert client.send(one, token, sounds.long_wav(2)).status_code == 202
    with redis.Redis(unix_socket_path=str(one.folder / "data" / "redis" / "redis.sock")) as server:
        server.delete("rq:queue:media-short", "spoke:wake:media-short")
    for process in converters:
        process.resume()
    receiver.wait("/media", 1, seconds=4)


@pytest.mark.databases("one")
def test_what_kills_the_converter_is_given_up(
    start_appliance: Callable[..., Appliance], receiver: Receiver
) -> None:
    one = start_appliance(SPOKE_TEST_KILL_AT="encoded")
    token = one.location("Office")
    one.webhook("Office", receiver.url("/media"), "media")
    client.send(one, token, sounds.long_wav(1))
    payload = receiver.wait("/media", 1, seconds=30)[0].json
    assert payload["attachments"] is None and "begun 3 times" in payload["error"]
    (shown,) = one.cli("media", "list", "--state", "failed")
    one.cli("media", "sweep")
    assert client.files(one) == [f"waiting/{shown['id']}"]  # nothing came of it, so what was sent is kept
    one.cli("erase", "--thread", payload["thread_id"], "--yes")
    eventually(lambda: client.files(one) == [])
