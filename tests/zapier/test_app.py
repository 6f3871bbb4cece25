"""The Zapier app in ``zapier/``, run by Zapier's own core against the running appliance."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance import Appliance, Place, Visitor, eventually
from media import client, sounds
from node_packages import ZAPIER, installed
from receiver import Receiver
from zapier_connection import connect_by_key

pytestmark = pytest.mark.databases("one")


class ZapierError(Exception):
    """What the app has thrown."""


class Core:
    """Zapier's core in a process of Node.js, with the app in it."""

    def __init__(self, modules: Path) -> None:
        environment = os.environ | {"NODE_ENV": "test", "NODE_PATH": str(modules)}
        self._process = subprocess.Popen(
            ["node", str(Path(__file__).with_name("driver.js")), str(ZAPIER)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, method: str, **bundle: Any) -> Any:
        """Call a function of the app, by its path. Raises ZapierError."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"method": method, "bundle": bundle}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:  # the core prints too
            if line.startswith("=> "):
                answer = json.loads(line[3:])
                if "error" in answer:
                    raise ZapierError(answer["error"])
                return answer["result"]
        raise AssertionError("the core has ended")

    def close(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    one = Core(installed(ZAPIER))
    yield one
    one.close()


@pytest.fixture
def account(appliance: Appliance, visitor: Visitor, place: Place) -> dict[str, str]:
    """What a person enters at Zapier."""
    return {"address": f"{appliance.url}/", "api_key": connect_by_key(appliance, visitor, place[0])}


def test_the_schema_validates(core: Core) -> None:
    assert core("validate") == []
    app = core("definition")
    package = json.loads((ZAPIER / "package.json").read_text())
    assert app["version"] == package["version"]
    assert app["platformVersion"] == package["dependencies"]["zapier-platform-core"]
    for trigger in app["triggers"].values():
        operation = trigger["operation"]
        assert {"performSubscribe", "performUnsubscribe", "perform", "performList"} <= operation.keys()
        assert operation["sample"].keys() == {field["key"] for field in operation["outputFields"]}


def test_a_connection_is_tested_and_has_a_label(
    core: Core, account: dict[str, str], place: Place, appliance: Appliance
) -> None:
    me = core("authentication.test", authData=account)
    label = core("definition")["authentication"]["connectionLabel"]
    for name, value in me.items():
        label = label.replace(f"{{{{{name}}}}}", value)
    host = appliance.url.removeprefix("http://")
    assert label == f"Zapier, {place[0]} at Spoke Webhooks, {host}"
    with pytest.raises(ZapierError, match="does not know this API key"):
        core("authentication.test", authData={**account, "api_key": "another"})


def test_a_voicemail_goes_the_whole_way(
    core: Core, account: dict[str, str], place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    """Subscribe, a PBX's voicemail, the Zap's address, perform, the file, the list, unsubscribe."""
    trigger = "triggers.new_voicemail.operation"
    data = core(f"{trigger}.performSubscribe", authData=account, targetUrl=receiver.url("/zap"),
                inputData={}, meta={"zap": {"id": 42}})  # fmt: skip
    assert data["location"] == place[0] and "secret" not in data
    (webhook,) = [one for one in appliance.cli("webhook", "list") if one["id"] == data["id"]]
    assert (webhook["kind"], webhook["types"]) == ("media", ["voicemail"])
    assert webhook["description"] == "New Voicemail, Zap 42"
    client.send(appliance, place[1], sounds.long_wav(2), type="call_recording")
    for sender in ("Ada", "Grace"):
        client.send(appliance, place[1], sounds.long_wav(2), type="voicemail", from_name=sender)
    hooks = [one.json for one in receiver.wait("/zap", 2)]
    performed = [core(f"{trigger}.perform", authData=account, cleanedRequest=hook) for hook in hooks]
    assert {one["from_name"] for (one,) in performed} == {"Ada", "Grace"}
    listed = core(f"{trigger}.performList", authData=account, inputData={})
    assert [one["from_name"] for one in listed] == ["Grace", "Ada"], "newest first, and no recording"
    assert len({one["id"] for one in listed}) == 2
    for (one,) in performed:
        assert one.keys() == listed[0].keys()
        assert one["file"].startswith("hydrate|||") and "downloadRecording" in one["file"]
    assert {one["id"] for one in listed} == {hook["id"] for hook in hooks}

    link = {"url": hooks[0]["attachments"], "filename": hooks[0]["filename"]}
    stashed = core("hydrators.downloadRecording", authData=account, inputData=link)
    assert stashed.endswith("/stashed/recording.mp3")
    upload = core("uploads")[-1]
    assert "Content-Type: audio/mpeg" in upload
    audio = appliance.get(hooks[0]["attachments"].removeprefix(appliance.url)).content
    assert audio.decode("latin-1") in upload

    for _ in range(2):  # what is gone already is no fault
        core(f"{trigger}.performUnsubscribe", authData=account, subscribeData=data)
    assert data["id"] not in [one["id"] for one in appliance.cli("webhook", "list")]
    core(f"{trigger}.performUnsubscribe", authData=account, subscribeData={"id": 999_999_999})
    assert [one.method for one in receiver.at("/zap")] == ["POST", "POST"], "the Zap itself has ended it"


def test_call_events_are_those_that_were_chosen(
    core: Core, account: dict[str, str], place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    trigger, chosen = (
        "triggers.call_event.operation",
        {"types": ["incoming_call"], "statuses": ["missed", "busy"]},
    )
    core(f"{trigger}.performSubscribe", authData=account, targetUrl=receiver.url("/zap"), inputData=chosen)
    for status in ("ringing", "missed", "answered", "busy"):
        appliance.ring(place[1], subtype=status)
    appliance.ring(place[1], type="outgoing_call", subtype="busy")
    hooks = [one.json for one in receiver.wait("/zap", 2)]
    assert {one["subtype"] for one in hooks} == {"missed", "busy"}
    listed = core(f"{trigger}.performList", authData=account, inputData=chosen)
    assert [one["subtype"] for one in listed] == ["busy", "missed"]
    (performed,) = core(f"{trigger}.perform", authData=account, cleanedRequest=hooks[0])
    assert performed.keys() == listed[0].keys()
    everything = core(f"{trigger}.performList", authData=account, inputData={})
    assert [one["subtype"] for one in everything] == ["busy", "busy", "answered", "missed", "ringing"]
    with pytest.raises(ZapierError, match="The call status is one of"):
        core(f"{trigger}.performSubscribe", authData=account, targetUrl=receiver.url("/zap"),
             inputData={"statuses": ["eaten"]})  # fmt: skip


def test_zapiers_410_drops_the_subscription(
    core: Core, account: dict[str, str], place: Place, appliance: Appliance, receiver: Receiver
) -> None:
    receiver.answers["/zap"] = [410]
    trigger = "triggers.call_event.operation"
    data = core(f"{trigger}.performSubscribe", authData=account, targetUrl=receiver.url("/zap"), inputData={})
    appliance.ring(place[1])
    eventually(lambda: data["id"] not in [one["id"] for one in appliance.cli("webhook", "list")])


def test_the_samples_are_what_receivers_get(core: Core) -> None:
    from webhooks.catalogue import CALL_FIELDS, MEDIA_FIELDS

    triggers = core("definition")["triggers"]
    assert tuple(triggers["call_event"]["operation"]["sample"]) == CALL_FIELDS
    for name in ("new_voicemail", "new_recording"):
        assert tuple(triggers[name]["operation"]["sample"]) == (*MEDIA_FIELDS, "file")
