"""What is kept of refusals between two flushes: bounded, alike ones as one, and every one counted."""

from webhooks.db.models.totals import SLOT_MS
from webhooks.services.refusals import Buffer, Refused


def refused(location_id: int, body: str = "") -> Refused:
    return Refused(location_id, True, "POST /api/events", 422, "because", "192.0.2.1", body, len(body))


def test_alike_refusals_are_kept_as_one() -> None:
    buffer = Buffer()
    for at_ms in (1_000, 1_500, 2_000):
        buffer.add(refused(1, "same"), at_ms)
    (alike,) = buffer.kept.values()
    assert (alike.count, alike.last_at) == (3, 2_000)


def test_a_flood_of_one_location_leaves_room_for_another_and_is_counted_whole() -> None:
    buffer = Buffer()
    for number in range(5_000):
        buffer.add(refused(1, str(number)), number)
    buffer.add(refused(2), 5_000)
    kept = [one.location_id for one in buffer.kept]
    assert kept.count(1) == 10 and kept.count(2) == 1
    assert {key: sums.count for key, sums in buffer.counts.items()} == {(1, 0): 5_000, (2, 0): 1}


def test_a_flood_of_many_locations_is_bounded_in_all() -> None:
    buffer = Buffer()
    for location_id in range(1, 500):
        buffer.add(refused(location_id), 0)
    assert len(buffer.kept) == 100 and len(buffer.counts) == 499


def test_counts_are_apart_by_quarter_of_an_hour_and_by_whether_there_was_a_token() -> None:
    buffer = Buffer()
    buffer.add(refused(0), SLOT_MS - 1)
    buffer.add(Refused(0, False, "", 401, "", "", "", 0), SLOT_MS)
    assert [(key, one.count, one.with_token) for key, one in buffer.counts.items()] == [
        ((0, 0), 1, 1),
        ((0, 1), 1, 0),
    ]
