"""An appliance that may not call loopback, beside a socket that listens there. Rules: tests/unit/outbound."""

from collections.abc import Callable

import pytest
from appliance import Appliance, eventually
from receiver import Receiver


@pytest.fixture
def guarded(start_appliance: Callable[..., Appliance]) -> Appliance:
    return start_appliance(SPOKE_ALLOW_NETS="", SPOKE_RETRY_SCHEDULE="3600")


@pytest.mark.databases("one")
def test_what_is_refused_never_sees_a_connection(guarded: Appliance, receiver: Receiver) -> None:
    """The form refuses addresses; a name that leads to one is checked at the attempt."""
    token = guarded.location("Office")
    for host in ("127.0.0.1", "[::1]", "2130706433", "127.1", "0"):
        url = f"http://{host}:{receiver.port}/hook"
        refusal = guarded.cli(
            "webhook", "add", "--location", "Office", "--kind", "call", "--url", url, status=1
        )
        assert "SPOKE_ALLOW_NETS" in refusal
    webhook = guarded.webhook("Office", f"http://localhost:{receiver.port}/hook")
    guarded.event(token, type="incoming_call", subtype="ringing")
    shown = eventually(lambda: guarded.cli("delivery", "list", "--webhook", webhook["id"])[0]["attempts"] and
                       guarded.cli("delivery", "show", 1))  # fmt: skip
    assert "is refused: " in shown["log"][0]["error"] and "SPOKE_ALLOW_NETS" in shown["log"][0]["error"]
    assert shown["state"] == "pending", "a name may lead elsewhere later"
    assert receiver.connections == 0
