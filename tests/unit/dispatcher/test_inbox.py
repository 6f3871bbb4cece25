"""What other threads tell the dispatcher."""

import time

from webhooks.dispatcher.inbox import Inbox
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.task import Report, Task, TaskKind


def a_report() -> Report:
    return Report(Task(Lane(1), [], 0.0, TaskKind.SINGLE), [], [], last=True)


def test_a_wake_up_is_taken_once_and_the_first_look_needs_none() -> None:
    inbox = Inbox()
    assert inbox.take_wakeup() and not inbox.take_wakeup()
    inbox.wake()
    inbox.wake()
    assert inbox.take_wakeup() and not inbox.take_wakeup()


def test_reports_stay_until_they_are_settled() -> None:
    """A transaction that breaks off is repeated with them."""
    inbox, first, second = Inbox(), a_report(), a_report()
    inbox.report(first)
    assert inbox.has_reports and inbox.gather() == [first] and not inbox.has_reports
    inbox.report(second)
    assert inbox.gather() == [second], "the first one is not told again"
    assert inbox.unsettled == [first, second]


def test_it_does_not_wait_where_something_is_there() -> None:
    inbox = Inbox()
    began_s = time.monotonic()
    inbox.wait(60)  # the first look
    inbox.take_wakeup()
    inbox.report(a_report())
    inbox.wait(60)
    inbox.gather()
    inbox.wait(60)  # unsettled
    inbox.unsettled.clear()
    inbox.interrupt()
    inbox.wait(60)
    assert time.monotonic() - began_s < 30
    inbox.wait(0.001)
