"""The day after a rotation: old and new are taken for 24 hours, then the new alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from appliance import Appliance, eventually
from receiver import Receiver

DAY = 86_400


@pytest.mark.databases("one")
def test_an_old_token_and_an_old_secret_hold_for_a_day_and_no_longer(
    start_appliance: Callable[..., Appliance], clock: dict[str, str], tmp_path: Path, receiver: Receiver
) -> None:
    one = start_appliance(**clock)
    old = one.location("Office")
    webhook = one.webhook("Office", receiver.url("/hook"))["id"]
    new = one.cli("location", "rotate", "Office")["token"]
    one.cli("webhook", "rotate", webhook)

    def status(token: str) -> tuple[int, int]:
        """By the hook, and by a phone system's door, which refuses this body only once it knows the token."""
        return one.event(token, type="incoming_call", subtype="busy").status_code, one.post(
            f"/api/pbx/3cx/t/{token}", json={}
        ).status_code

    def signatures() -> list[int]:
        return [len(got.headers["webhook-signature"].split()) for got in receiver.at("/hook")]

    for seconds in (0, DAY - 60):
        (tmp_path / "clock").write_text(str(seconds))
        assert status(old) == status(new) == (202, 422)
    eventually(lambda: signatures() == [2] * 4)
    (tmp_path / "clock").write_text(str(DAY + 60))
    assert (status(old), status(new)) == ((401, 401), (202, 422))
    eventually(lambda: signatures() == [2] * 4 + [1])
