"""How a lane is served, and what may be claimed of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from webhooks.dispatcher.lane import BULK_ROWS, FAST_SHARE, Lane, LaneKind
from webhooks.dispatcher.lane_rows import LaneRow
from webhooks.keyring import Key
from webhooks.outbound.address_rules import AddressRules
from webhooks.outbound.connector import Connector
from webhooks.outbound.options import Options
from webhooks.outbound.sender import Outcome, Sender
from webhooks.outbound.webhook_sender import WebhookSender
from webhooks.outbox.claim import Claim
from webhooks.settings import Settings
from webhooks.vault import Vault

AT_ONCE = Outcome(1, 1, 0, duration_s=0.001, http_status=200)
SLOWLY = Outcome(1, 1, 0, duration_s=0.1, http_status=200)
REFUSED = Outcome(1, 1, 0, http_status=500, error="The receiver answered 500.")
BROKEN = Outcome(1, 1, 0, error="No complete answer within 1 second.", broken=True)
NOW_MS = 1_000_000


def lane_after(*outcomes: Outcome, concurrency: int = 8) -> Lane:
    lane = Lane(1)
    lane.options = Options(concurrency=concurrency)
    for outcome in outcomes:
        lane.note_outcome(outcome, NOW_MS)
    return lane


def rows(lane: Lane, capacity: int = 1000, now_ms: int = NOW_MS) -> int:
    return lane.claim_limits(now_ms, capacity).rows


@pytest.mark.parametrize(
    ("outcomes", "kind"),
    [
        ([], LaneKind.PROBATION),
        ([AT_ONCE], LaneKind.FAST),
        ([SLOWLY], LaneKind.SLOW),
        ([AT_ONCE, SLOWLY], LaneKind.SLOW),
        ([AT_ONCE, REFUSED], LaneKind.FAST),
        ([AT_ONCE, BROKEN], LaneKind.PROBATION),
        ([BROKEN, SLOWLY], LaneKind.SLOW),
        ([REFUSED], LaneKind.PROBATION),
    ],
)
def test_the_receivers_answers_decide_how_a_lane_is_served(outcomes: list[Outcome], kind: LaneKind) -> None:
    assert lane_after(*outcomes).kind is kind


def test_an_open_circuit_puts_a_proven_lane_on_probation() -> None:
    lane = lane_after(AT_ONCE)
    lane.health.broken = 5  # as another worker has left it
    assert lane.kind is LaneKind.PROBATION


def test_a_test_events_failure_is_no_failure_of_the_webhook() -> None:
    lane = Lane(1)
    gone = Outcome(1, 1, 0, http_status=410, error="The receiver answered 410 Gone.")
    for outcome in (REFUSED, BROKEN, gone):
        assert lane.note_outcome(outcome, NOW_MS, is_test=True) is None
    assert (lane.health.failures, lane.health.failing_since_ms) == (0, None)


def test_on_probation_one_row_is_in_flight() -> None:
    lane = lane_after()
    assert rows(lane) == 1
    lane.in_flight = 1
    assert rows(lane) == 0


def test_a_fast_lane_has_its_share_of_bulk_tasks() -> None:
    lane = lane_after(AT_ONCE)
    assert rows(lane) == BULK_ROWS
    lane.in_flight = FAST_SHARE
    assert rows(lane) == 0


def test_a_fast_lane_of_concurrency_one_has_one_task() -> None:
    lane = lane_after(AT_ONCE, concurrency=1)
    lane.in_flight = 1
    assert rows(lane) == 0


def test_a_slow_lane_has_what_its_concurrency_leaves() -> None:
    lane = lane_after(SLOWLY)
    lane.in_flight = 3
    assert rows(lane) == 5 and rows(lane, capacity=2) == 2


def test_a_concurrency_lowered_below_what_is_in_flight_allows_no_row() -> None:
    lane = lane_after(SLOWLY, concurrency=2)
    lane.in_flight = 5
    assert rows(lane) == 0


@pytest.mark.parametrize("outcomes", [[], [AT_ONCE], [SLOWLY]])
def test_without_capacity_paused_or_held_nothing_is_claimed(outcomes: list[Outcome]) -> None:
    lane = lane_after(*outcomes)
    assert rows(lane, capacity=0) == 0
    lane.health.not_before_ms = NOW_MS + 1
    assert rows(lane) == 0 and rows(lane, now_ms=NOW_MS + 1) > 0
    lane.health.not_before_ms = 0
    lane.active = False
    assert rows(lane) == 0


def test_a_claim_that_leaves_due_rows_makes_a_backlog() -> None:
    lane = lane_after(AT_ONCE)
    lane.note_claim(Claim(may_have_more=True, deferred_calls={"a"}), rows=1)
    assert lane.backlogged and lane.may_have_more and lane.deferred_calls == {"a"}
    lane.note_claim(Claim(), rows=1)
    assert not lane.backlogged and not lane.may_have_more
    assert lane.deferred_calls == {"a"}, "only settling the earlier row releases them"


def loaded(lane: Lane, now_ms: int = NOW_MS, **columns: Any) -> Sender:
    """The lane's sender once it has loaded a row with these columns."""
    row = LaneRow(
        1, "http://receiver.example/", "whsec_x", None, None, "{}", "active", None, 0, 0, None, 0, 0
    )
    store = SimpleNamespace(vault=Vault(lambda: [Key("x" * 32)]))
    lane.load(row._replace(**columns), Settings())
    lane.prepare(Settings(), Connector(AddressRules()), store, now_ms)  # type: ignore[arg-type]
    return lane.sender


@pytest.mark.parametrize(
    "changed",
    [{"url": "http://other.example/"}, {"secret": "whsec_y"}, {"options": '{"timeout": 3}'}],
)
def test_a_lanes_sender_is_made_anew_where_its_webhook_was_changed(changed: dict[str, Any]) -> None:
    lane = Lane(1)
    first = loaded(lane)
    assert loaded(lane) is first, "its connections stay"
    second = loaded(lane, **changed)
    assert isinstance(second, WebhookSender) and second is not first
    assert (second.endpoint.url, second.endpoint.secrets[0]) == (
        changed.get("url", "http://receiver.example/"), changed.get("secret", "whsec_x")
    )  # fmt: skip
    assert lane.timeout_s == (3 if "options" in changed else Settings().timeout)


def test_health_and_state_are_read_at_each_load() -> None:
    lane = Lane(1)
    loaded(lane)
    loaded(lane, failures=3, state="paused")
    assert lane.health.failures == 3 and not lane.active


def test_a_former_secret_signs_until_its_time_is_over() -> None:
    lane = Lane(1)
    rotating: dict[str, Any] = {"previous_secret": "whsec_old", "previous_until": NOW_MS + 1}
    for now_ms, secrets in ((NOW_MS, ("whsec_x", "whsec_old")), (NOW_MS + 1, ("whsec_x",))):
        sender = loaded(lane, now_ms, **rotating)
        assert isinstance(sender, WebhookSender) and sender.endpoint.secrets == secrets


def test_a_secret_that_could_not_be_read_is_read_again() -> None:
    sealed = Vault(lambda: [Key("x" * 32)]).seal("whsec_x")
    lane, keys = Lane(1), [Key("y" * 32)]
    row = LaneRow(1, "http://receiver.example/", sealed, None, None, "{}", "active", None, 0, 0, None, 0, 0)
    store = SimpleNamespace(vault=Vault(lambda: keys))
    for key, readable in ((Key("y" * 32), False), (Key("x" * 32), True)):
        keys[0] = key
        lane.load(row, Settings())
        lane.prepare(Settings(), Connector(AddressRules()), store, NOW_MS)  # type: ignore[arg-type]
        assert isinstance(lane.sender, WebhookSender)
        assert (lane.sender.endpoint.unusable is None) is readable


def test_options_that_cannot_be_read_are_told_by_each_attempt() -> None:
    lane = Lane(1)
    loaded(lane)
    sender = loaded(lane, options="no JSON")
    assert not isinstance(sender, WebhookSender) and lane.options == Options()
    assert isinstance(loaded(lane), WebhookSender), "once they are mended it goes on"
