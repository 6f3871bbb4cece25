"""What came of a task is written down: delivered, tried again later, failed; the call's later rows follow."""

import functools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from webhooks.audit import record
from webhooks.catalogue import wire_id
from webhooks.db import row_errors
from webhooks.db.raw import RawConnection
from webhooks.db.store import config_changed
from webhooks.dispatcher.circuit_breaker import retry_delay
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.worker_pool import Report
from webhooks.outbound.attempt import Outcome
from webhooks.outbox import attempt_stats
from webhooks.outbox import settle as outcomes
from webhooks.outbox.claim import HOLD, Row
from webhooks.outbox.set_aside import set_aside

_LOG_SECONDS: Final = 1.0  # one line a second about a failing webhook

log = logging.getLogger(__name__)


class Settler:
    """``me`` owns the rows; ``due_in`` is told in how many ms a row is due again."""

    def __init__(self, me: str, schedule: tuple[int, ...], due_in: Callable[[float], None]) -> None:
        self._me, self._schedule, self._due_in = me, schedule, due_in
        self._logged: dict[int, float] = {}

    def settle(self, direct: RawConnection, reports: Iterable[Report], now: int) -> None:
        """In the caller's transaction. The lanes are ours."""
        reports = list(reports)
        delivered = [outcome for report in reports for _, outcome in report.done if outcome.delivered]
        direct.each(
            delivered,
            lambda some: outcomes.settle_delivered(direct, self._me, some, now),
            lambda one, _: self._write(direct, one, now, self._delivered(direct, now)),
        )
        for report in reports:
            self._settle(direct, report, now)
        attempts: dict[int, list[Outcome]] = {}
        for report in reports:
            attempts.setdefault(report.task.lane.webhook_id, []).extend(
                outcome for _, outcome in report.done if not outcome.interrupted
            )
        attempt_stats.add(direct, now, {webhook_id: made for webhook_id, made in attempts.items() if made})
        for lane in {report.task.lane for report in reports}:
            error = direct.tried(functools.partial(lane.save_health, direct))
            if error is not None:
                row_errors.leave("lane", lane.webhook_id, error)

    def _settle(self, direct: RawConnection, report: Report, now: int) -> None:
        lane = report.task.lane
        waits: dict[str, int] = {}
        reason = None
        for row, outcome in report.done:
            reason = lane.note(outcome, now) or reason
            if not outcome.delivered:
                waits[row.thread_key] = self._failure(direct, lane, row, outcome, now)
        if reason:
            error = direct.tried(functools.partial(self._disable, direct, lane, reason))
            if error is not None:
                row_errors.leave("webhook", lane.webhook_id, error)
        for call in {row.thread_key for row, _ in report.done} & lane.pushed:
            if outcomes.pull(direct, lane.webhook_id, call, waits.get(call, now)):
                lane.pushed.discard(call)
        outcomes.release(direct, self._me, [(row, waits.get(row.thread_key, now)) for row in report.unsent])
        lane.more = True

    def forget(self, webhook_id: int) -> None:
        self._logged.pop(webhook_id, None)

    @staticmethod
    def _disable(direct: RawConnection, lane: Lane, reason: str) -> None:
        if lane.disable(direct, reason):
            config_changed(direct)
            record(direct, f"webhook {lane.webhook_id}", f"disabled: {reason}")
            log.warning("webhook disabled", extra={"webhook": lane.webhook_id, "reason": reason})

    def _delivered(self, direct: RawConnection, now: int) -> Callable[[Outcome], object]:
        return lambda outcome: outcomes.settle_delivered(direct, self._me, [outcome], now)

    @staticmethod
    def _write(
        direct: RawConnection, outcome: Outcome, now: int, settle: Callable[[Outcome], object]
    ) -> None:
        """Write an outcome down. What the database refuses is written without what the receiver said, then
        without a row among the attempts; what it refuses even so is set aside."""
        error = direct.tried(lambda: settle(outcome))
        if error is None:
            return
        why = row_errors.reason(error)
        log.error("database refused an attempt's row", extra={"delivery": outcome.delivery_id, "reason": why})
        less = replace(
            outcome,
            error=outcome.error and f"The attempt failed; why could not be kept ({why}).",
            request_headers=None,
            response_headers=None,
            response_body=f"[what the receiver said could not be kept: {why}]",
        )
        if direct.tried(lambda: settle(less)) is None:
            return
        unlogged = replace(less, unlogged=True)

        def settle_and_say() -> None:
            settle(unlogged)
            said = f"Attempt {outcome.n} could not be kept: {why}."
            outcomes.note(direct, outcome.delivery_id, said)

        worse = direct.tried(settle_and_say)
        if worse is not None:
            set_aside(direct, outcome.delivery_id, worse, now)

    def _failure(self, direct: RawConnection, lane: Lane, row: Row, outcome: Outcome, now: int) -> int:
        """Settle; the answer is when the later rows of the call may be looked at."""
        me = self._me
        if outcome.interrupted:
            self._write(direct, outcome, now, lambda one: outcomes.settle_retry(direct, me, one, now))
            return now
        delay = retry_delay(self._schedule, row.tries + 1)
        self._log(lane, row, outcome, delay)
        if delay is None:
            self._write(direct, outcome, now, lambda one: outcomes.settle_failed(direct, me, one, now))
            return now
        due = now + delay
        self._write(direct, outcome, now, lambda one: outcomes.settle_retry(direct, me, one, due))
        self._due_in(delay)
        return min(now + delay, max(row.first_try_at + HOLD, now))

    def _log(self, lane: Lane, row: Row, outcome: Outcome, delay: int | None) -> None:
        now = time.monotonic()
        if now - self._logged.get(lane.webhook_id, -_LOG_SECONDS) < _LOG_SECONDS:
            return
        self._logged[lane.webhook_id] = now
        ids = {"webhook": lane.webhook_id, "delivery": row.id, "event": wire_id(row.body)}
        retry_s = None if delay is None else round(delay / 1000)
        tried = {"attempt": outcome.n, "status": outcome.status, "retry_s": retry_s, "reason": outcome.error}
        log.info("attempt failed", extra={**ids, **tried})
