"""A request waits for its events' outcome, gives up in time, and can wait on for what has begun."""

import threading
from collections.abc import Callable

import pytest

from webhooks.errors import Unconfirmed, WriteFailed, WriteTimedOut
from webhooks.events import submission as module
from webhooks.events.storage import Accepted
from webhooks.events.submission import Submission

STORED = [Accepted("6d739560-1741-11ed-861d-0242ac120002", 1, False)]


@pytest.fixture
def submission(monkeypatch: pytest.MonkeyPatch) -> Submission:
    monkeypatch.setattr(module, "WRITE_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(module, "_COMMIT_WAIT_SECONDS", 0.01)
    return Submission(1, [], "pbx")


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_outcome_comes_to_whoever_waits_and_stays(submission: Submission) -> None:
    assert submission.begin()
    thread = in_thread(lambda: submission.settle(STORED))
    submission.wait_until_settled()
    assert submission.result() == submission.result() == STORED
    thread.join()


def test_a_failure_is_raised(submission: Submission) -> None:
    submission.begin()
    submission.settle(WriteFailed("The disk is full."))
    with pytest.raises(WriteFailed, match="full"):
        submission.result()
    submission.wait_until_settled()


def test_what_was_not_begun_in_time_is_never_begun(submission: Submission) -> None:
    with pytest.raises(WriteTimedOut, match="nothing was written"):
        submission.result()
    assert not submission.begin()


def test_what_was_begun_is_unconfirmed_in_the_end_and_can_be_waited_for(submission: Submission) -> None:
    assert submission.begin()
    with pytest.raises(Unconfirmed):
        submission.result()
    waiting = in_thread(submission.wait_until_settled)
    assert waiting.is_alive()
    submission.settle(STORED)
    waiting.join()


def test_a_large_batch_is_waited_for_while_more_of_it_is_stored(submission: Submission) -> None:
    assert submission.begin()
    more = iter(range(5))

    class Growing(list[Accepted]):
        """As if the intake thread stored another event between any two looks, and then all was settled."""

        def __len__(self) -> int:
            count = next(more, None)
            if count is None:
                submission.settle(STORED)
                return 5
            return count

    submission.stored = Growing()
    assert submission.result() == STORED
