"""An appliance as it looks after some days of use, for screenshots and for tests of all pages."""

import uuid
from dataclasses import dataclass
from typing import Any

from api_client import Client
from appliance import Appliance, Visitor, eventually
from media import client, sounds
from receiver import Answer, Receiver
from zapier_connection import connect_by_key

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\u202c 😀 " + "x" * 900


@dataclass
class Filled:
    """What is where. ``pages`` are the paths of every page, by name."""

    token: str
    working: int
    failing: int
    paused: int
    inbox: str
    pages: dict[str, str]


def call(appliance: Appliance, token: str, *states: str, **fields: Any) -> str:
    """One call as a PBX tells it; its thread_id."""
    thread = str(uuid.uuid4())
    known = {"type": "incoming_call", "to": "5010", "from": "+19203833100",
             "to_name": "Dade Murphy", "from_name": "Clearly IP"}  # fmt: skip
    for state in states:
        event = {**known, "thread_id": thread, "subtype": state, **fields}
        assert appliance.event(token, **event).status_code == 202
    return thread


def fill(
    appliance: Appliance, receiver: Receiver, office: str = "Head Office", hostile: bool = False
) -> Filled:
    """Locations, webhooks in every state, calls that arrived, failed, are held and matched nothing."""
    receiver.answers["/down"] = [Answer(503, body=b'{"error": "maintenance, back at noon"}')]
    receiver.answers["/flaky"] = [Answer(500, body=b"database is locked"), 200, 200, 200, 200, 200, 200, 200]
    token = appliance.location(office)
    where = appliance.location_id(office)
    warehouse = office.replace("Head Office", "Warehouse")
    appliance.location(warehouse)
    appliance.cli("location", "pause", warehouse)
    missed = appliance.webhook(
        office, receiver.url("/flaky"), type="incoming_call", status="missed",
        description="Tickets for missed calls", header="X-Team: support",
    )["id"]  # fmt: skip
    working = appliance.webhook(office, receiver.url("/crm"), type="incoming_call")["id"]
    failing = appliance.webhook(office, receiver.url("/down"), status="ended")["id"]
    paused = appliance.webhook(office, receiver.url("/wall"), type="outgoing_call")["id"]
    voice = appliance.webhook(office, receiver.url("/voice"), kind="media", type="voicemail")["id"]
    appliance.cli("webhook", "pause", paused)
    for given, note in ((token, "a new kind of phone"), ("no longer valid", HOSTILE if hostile else "")):
        appliance.event(
            given, type="incoming_call", subtype="eaten", **{"from": "+19203833100", "note": note}
        )
    call(appliance, token, "ringing", "missed")
    call(
        appliance,
        token,
        "ringing",
        "answered",
        "ended",
        **{"from": "+493012345678", "from_name": "Ünïcødé GmbH"},
    )
    call(appliance, token, "ringing", "busy", type="outgoing_call", **{"from": "5010", "to": "+442071838750"})
    if hostile:
        call(
            appliance,
            token,
            "ringing",
            "missed",
            "ended",
            from_name=HOSTILE,
            note=HOSTILE * 5,
            to_name=HOSTILE,
        )
    appliance.event(token, type="call_recording", filename="recording_5012.mp3")
    client.send(
        appliance, token, sounds.long_wav(2), type="voicemail", from_name=HOSTILE if hostile else "Ada"
    )
    receiver.wait("/voice", seconds=20)
    appliance.cli("webhook", "test", working)
    eventually(
        lambda: "delivered" in states(appliance, missed) and "pending" not in states(appliance, missed)
    )
    eventually(lambda: states(appliance, failing).count("failed") == 1 + hostile, seconds=30)
    page = Visitor(appliance)
    erased = number(page.post("/erase", call=call(appliance, token, "answered")).headers["Location"])
    eventually(lambda: appliance.rows("SELECT 1 FROM erasure WHERE id = :id AND state = 'done'", id=erased))
    inbox = page.post("/inboxes").headers["Location"].rpartition("/")[2]
    page.post(f"/inboxes/{inbox}/point", target=f"new:{where}")
    pointed = appliance.cli("webhook", "list")[-1]["id"]
    appliance.cli("webhook", "test", pointed)
    eventually(lambda: states(appliance, pointed) == ["delivered"])
    since = "2026-01-01T00:00:00Z"
    replay = appliance.cli("webhook", "replay", failing, "--since", since)["replay"]
    zapier = Client(appliance, connect_by_key(appliance, page, office))
    zap = zapier.made("/webhooks", kind="media", types=["call_recording"], url=receiver.url("/zap"),
                      description="New Call Recording, Zap 42")["id"]  # fmt: skip
    heard = appliance.cli("delivery", "list", "--webhook", voice)[0]["id"]
    failed = appliance.cli("delivery", "list", "--webhook", missed)[-1]["id"]
    unmatched = appliance.rows("SELECT id FROM event WHERE matched = 0")[0][0]
    eventually(lambda: appliance.rows("SELECT 1 FROM heard"))
    store = appliance.location_id(warehouse)
    for place in (office, warehouse):  # one that cannot be reached, and one that rests
        appliance.invoke(
            "pbx", "connect", place, "asterisk", "--host", "127.0.0.1", "--port", 1, "--user", "spoke",
            input="a-secret\n",
        )  # fmt: skip
    pages = {
        "asterisk": f"/locations/{where}/asterisk", "asterisk-paused": f"/locations/{store}/asterisk",
        "asterisk-media": f"/locations/{where}/asterisk/media",
        "asterisk-disconnect": f"/locations/{where}/asterisk/disconnect",
        "main": "/", "connect": "/connect", "disconnect": f"/locations/{where}/disconnect",
        "manage": f"/locations/{where}/webhooks", "new-call": f"/locations/{where}/webhooks/new/call",
        "new-media": f"/locations/{where}/webhooks/new/media", "webhook": f"/webhooks/{missed}",
        "webhook-failing": f"/webhooks/{failing}", "webhook-paused": f"/webhooks/{paused}",
        "edit": f"/webhooks/{missed}/edit", "resume": f"/webhooks/{paused}/resume",
        "delete-webhook": f"/webhooks/{missed}/delete",
        "rotate-secret": f"/webhooks/{missed}/rotate", "receiver": f"/webhooks/{missed}/receiver",
        "replay": f"/webhooks/{failing}/replay",
        "replay-counted": f"/webhooks/{failing}/replay?since=2026-01-01T00:00&state=failed&state=delivered",
        "replaying": f"/replays/{replay}", "deliveries": "/deliveries",
        "deliveries-filtered": "/deliveries?number=3100",
        "deliveries-none": "/deliveries?number=99999", "deliveries-wrong": "/deliveries?since=yesterday",
        "delivery": f"/deliveries/{failed}", "event": f"/events/{unmatched}",
        "voicemail": f"/deliveries/{heard}", "erase": "/erase?number=3100", "erasing": f"/erasures/{erased}",
        "unmatched": "/events/unmatched", "locations": "/locations", "location": f"/locations/{where}",
        "location-3cx": f"/locations/{where}/phone-systems/3cx",
        "location-yeastar": f"/locations/{where}/phone-systems/yeastar",
        "location-grandstream": f"/locations/{where}/phone-systems/grandstream",
        "location-freeswitch": f"/locations/{where}/phone-systems/freeswitch",
        "location-phones": f"/locations/{where}/phone-systems/phones",
        "location-dialplan": f"/locations/{where}/phone-systems/dialplan", "causes": "/causes",
        "refusals": f"/locations/{where}/refusals", "refusals-unknown": "/locations/refusals",
        "delete-location": f"/locations/{where}/delete", "pause-location": f"/locations/{where}/pause",
        "rotate-token": f"/locations/{where}/rotate", "delete-inbox": f"/inboxes/{inbox}/delete",
        "inboxes": "/inboxes", "inbox": f"/inboxes/{inbox}",
        "zapier": f"/locations/{where}/zapier", "zapier-connect": "/zapier/connect",
        "zap": f"/webhooks/{zap}", "zapier-key": f"/locations/{where}/zapier/key",
        "zapier-disconnect": f"/locations/{where}/zapier/disconnect", "zap-delete": f"/webhooks/{zap}/delete",
        "history": "/history", "alerts": "/alerts", "settings": "/settings", "keys": "/keys",
        "styleguide": "/styleguide", "not-found": "/webhooks/999",
    }  # fmt: skip
    return Filled(token, working, failing, paused, inbox, pages)


def number(location: str) -> int:
    """The one at the end of an address."""
    return int(location.rpartition("/")[2])


def states(appliance: Appliance, webhook: int) -> list[str]:
    return [one["state"] for one in appliance.cli("delivery", "list", "--webhook", webhook, "--limit", 100)]
