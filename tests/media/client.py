"""What the tests of media do at the appliance's doors."""

import json
from typing import Any

import requests
from appliance import Appliance
from receiver import Received, Receiver

NAME = "recording_2024-07-19 00:00:00 -0500_from:15053430650_to:5012-508_116612489.wav"


def send(
    appliance: Appliance, token: str, data: Any, name: str = NAME, /, **fields: Any
) -> requests.Response:
    """Upload a recording with its event."""
    event = {"type": "call_recording", "to": "5010", "from": "+19203833100", **fields}
    return appliance.post(
        "/api/media",
        files={"event": (None, json.dumps(event), "application/json"), "file": (name, data, "audio/wav")},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )


def refer(appliance: Appliance, token: str, **fields: Any) -> requests.Response:
    """An event that names its recording."""
    return appliance.post(
        "/api/media",
        json={"type": "voicemail", **fields},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )


def arrived(receiver: Receiver, path: str, count: int = 1) -> Received:
    """The newest of so many messages."""
    return receiver.wait(path, count, seconds=60)[-1]


def fetch(appliance: Appliance, link: str, **more: Any) -> requests.Response:
    """Follow a link of a payload."""
    assert link.startswith(appliance.url)
    return appliance.get(link.removeprefix(appliance.url), **more)


def files(appliance: Appliance) -> list[str]:
    """All files of the media folder."""
    root = appliance.folder / "data" / "media"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
