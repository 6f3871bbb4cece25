"""What is past the retention goes, in an order that keeps the books; what is pending stays."""

from collections.abc import Callable
from pathlib import Path

from appliance import Appliance, eventually
from receiver import Receiver

DAY = 86_400


def test_purge_by_age_keeps_what_is_pending_and_the_books(
    start_appliance: Callable[..., Appliance], clock: dict[str, str], tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers["/never"] = [500]
    one = start_appliance(SPOKE_RETRY_SCHEDULE="1,200000", **clock)
    token = one.location("Office")
    good = one.webhook("Office", receiver.url("/good"), type="incoming_call")
    held = one.webhook("Office", receiver.url("/held"), type="incoming_call")
    one.webhook("Office", receiver.url("/never"), type="outgoing_call")
    one.cli("webhook", "pause", held["id"])
    calls = [{"type": "incoming_call", "subtype": "ringing"} for _ in range(250)]
    headers = {"Authorization": f"Bearer {token}"}
    assert one.post("/api/events", json=calls, headers=headers).status_code == 202
    one.event(token, type="outgoing_call", subtype="ringing")
    one.event(token, type="voicemail")
    receiver.wait("/good", 250)
    receiver.wait("/never", 2)
    eventually(lambda: one.totals()[1].get("delivered") == 250)
    assert one.totals() == (501, {"delivered": 250, "held": 250, "pending": 1})
    one.stop()
    (tmp_path / "clock").write_text(str(31 * DAY))
    one.start()
    eventually(lambda: one.totals()[1].get("dropped") == 250, 15)
    assert {row.reason for row in one.rows("SELECT reason FROM delivery WHERE state = 'dropped'")} == {
        "retention"
    }
    total, by_state = one.totals()
    assert (total, by_state["delivered"], by_state["dropped"]) == (501, 250, 250)
    one.stop()
    (tmp_path / "clock").write_text(str(33 * DAY))
    one.start()
    eventually(lambda: one.rows("SELECT count(*) AS n FROM event")[0].n <= 1, 15)
    total, by_state = one.totals()
    assert (total, sum(by_state.values())) == (501, 501)
    assert (
        one.rows("SELECT count(*) AS n FROM attempt WHERE delivery_id NOT IN (SELECT id FROM delivery)")[0].n
        == 0
    )
    assert len(one.cli("delivery", "list", "--webhook", good["id"])) == 0
