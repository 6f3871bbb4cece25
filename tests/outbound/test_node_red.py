"""Node-RED, the real one: it subscribes by itself, and takes what is genuine by the flow that pages show."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from api_client import Client, new_key
from appliance import ROOT, Appliance, Place, eventually, free_port
from flask import Flask
from node_packages import NODE_RED, installed

from webhooks.web.ui import receiver_code

pytestmark = pytest.mark.databases("one")
SETTINGS = """module.exports = {
  uiHost: "127.0.0.1", uiPort: %(port)s, flowFile: "flows.json", disableEditor: true, httpAdminRoot: "/admin",
  httpNodeRoot: "/", credentialSecret: false, telemetry: {enabled: false, updateNotification: false},
  externalModules: {autoInstall: false},
};"""


class NodeRed:
    """A running Node-RED; ``output`` is what it and its debug nodes print."""

    def __init__(self, folder: Path) -> None:
        modules, port = installed(NODE_RED), free_port()
        self.url, self._log = f"http://127.0.0.1:{port}", folder / "log"
        program, settings = modules / "node-red" / "red.js", folder / "settings.js"
        settings.write_text(SETTINGS % {"port": port})
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["node", program, "--userDir", folder, "--settings", settings], stdout=log, stderr=log
            )
        eventually(self._is_up, seconds=60)

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self.output
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/admin/flows", timeout=5).ok
        return False

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def deploy(self, flow: list[dict[str, Any]]) -> None:
        """Replace its flows, as a person who imports them and presses Deploy."""
        assert requests.post(f"{self.url}/admin/flows", json=flow, timeout=10).status_code == 204

    def subscribed(self) -> Any:
        """Have it subscribe. Returns what the API answered; None while the flow is still being deployed."""
        answer = requests.get(f"{self.url}/subscribe", timeout=10)
        return answer.json() if answer.ok else None

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture
def node_red(tmp_path: Path) -> Iterator[NodeRed]:
    one = NodeRed(tmp_path)
    yield one
    one.close()


def shown_flow(url: str, secret: str) -> list[dict[str, Any]]:
    """The flow as a webhook's page has it for this URL; the secret is a variable of the flow."""
    with Flask(__name__, template_folder=ROOT / "templates").app_context():
        sample = next(one for one in receiver_code.samples(url, {"subtype": ""}) if one.name == "node_red")
    tab, *nodes = json.loads(sample.code)
    return [{**tab, "env": [{"name": "WEBHOOK_SECRET", "value": secret, "type": "str"}]}, *nodes]


def subscribing(appliance: Appliance, key: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """A flow that subscribes by the API: GET /subscribe answers what the appliance has answered."""
    prepare = (
        f"msg.url = {json.dumps(appliance.url + '/api/webhooks')}; msg.payload = {json.dumps(body)};"
        f'msg.headers = {{"Authorization": "Bearer {key}", "Content-Type": "application/json"}}; return msg;'
    )

    def node(id_: str, kind: str, *following: str, **more: Any) -> dict[str, Any]:
        return {"id": id_, "type": kind, "z": "own", "x": 0, "y": 0, "wires": [[*following]], **more}

    return [
        {"id": "own", "type": "tab", "label": "Subscribe"},
        node("own-in", "http in", "own-make", url="/subscribe", method="get"),
        node("own-make", "function", "own-ask", func=prepare, outputs=1),
        node("own-ask", "http request", "own-out", method="POST", ret="obj"),
        node("own-out", "http response"),
    ]


def test_node_red_subscribes_by_the_api_and_takes_what_is_genuine(
    appliance: Appliance, place: Place, node_red: NodeRed
) -> None:
    key, url = new_key(appliance), f"{node_red.url}/calls"
    api = Client(appliance, key)
    body = {"location": place[0], "kind": "call", "types": ["incoming_call"], "url": url}
    node_red.deploy(subscribing(appliance, key, body))
    made = eventually(node_red.subscribed)
    assert made["url"] == url
    node_red.deploy(shown_flow(url, made["secret"]))
    eventually(
        lambda: requests.post(url, json={}, timeout=10).status_code == 401
    )  # 404 before it is deployed
    appliance.ring(place[1], from_name="Genuine Caller")
    eventually(lambda: answers(appliance, made["id"]) == [204])
    eventually(lambda: "Genuine Caller" in node_red.output)
    api.made(f"/webhooks/{made['id']}/rotate", 200, at_once=True)
    appliance.ring(place[1], from_name="Forged Caller")
    eventually(lambda: 401 in answers(appliance, made["id"]))
    assert "Forged Caller" not in node_red.output
    assert api("DELETE", f"/webhooks/{made['id']}").status_code == 204


def answers(appliance: Appliance, webhook: int) -> list[int]:
    """The HTTP statuses of all attempts so far."""
    query = """
        SELECT a.status FROM attempt a JOIN delivery d ON d.id = a.delivery_id
        WHERE d.webhook_id = :id ORDER BY a.delivery_id, a.n
    """
    return [row[0] for row in appliance.rows(query, id=webhook)]
