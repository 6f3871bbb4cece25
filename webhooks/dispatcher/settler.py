"""Settle reports: delivered, to be tried again, failed. Later rows of the calls are released accordingly."""

import functools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from webhooks.audit import record
from webhooks.catalogue import wire_id
from webhooks.db import row_errors
from webhooks.db.meta import config_changed
from webhooks.db.raw import RawConnection
from webhooks.dispatcher.circuit_breaker import GONE, retry_delay_ms
from webhooks.dispatcher.lane import Lane
from webhooks.dispatcher.task import Report
from webhooks.dispatcher.timers import Timers
from webhooks.outbound.sender import Outcome
from webhooks.outbox import attempt_stats, settle, unsubscriptions
from webhooks.outbox.rows import HOLD_MS, ClaimedRow
from webhooks.outbox.set_aside import set_aside

_LOG_S: Final = 1.0  # one line a second about a failing webhook
_DISABLED_MS: Final = 60_000  # by then the deliveries of a webhook that was disabled are held

log = logging.getLogger(__name__)


class Settler:
    """Settles rows of ``owner_id``. ``timers`` are told when a row is to be tried again."""

    def __init__(self, owner_id: str, schedule_s: tuple[int, ...], timers: Timers) -> None:
        self._owner_id, self._schedule_s, self._timers = owner_id, schedule_s, timers
        self._logged_s: dict[int, float] = {}

    def settle(self, direct: RawConnection, reports: Iterable[Report], now_ms: int) -> None:
        """Settle reports in the caller's transaction. Their lanes are acquired."""
        reports = list(reports)
        delivered = [outcome for report in reports for _, outcome in report.done if outcome.delivered]
        write_delivered = functools.partial(settle.settle_delivered, direct, self._owner_id, now_ms=now_ms)
        direct.each(
            delivered,
            write_delivered,
            lambda outcome, _: self._write(
                direct, outcome, now_ms, lambda outcome: write_delivered([outcome])
            ),
        )
        for report in reports:
            self._settle_report(direct, report, now_ms)
        self._count_attempts(direct, reports, now_ms)
        for lane in {report.task.lane for report in reports}:
            error = direct.tried(functools.partial(lane.save_health, direct))
            if error is not None:
                row_errors.leave("lane", lane.webhook_id, error)

    def forget(self, webhook_id: int) -> None:
        """Forget when a webhook's failure was last logged."""
        self._logged_s.pop(webhook_id, None)

    def _settle_report(self, direct: RawConnection, report: Report, now_ms: int) -> None:
        lane = report.task.lane
        recheck_ms: dict[str, int] = {}  # of calls whose row failed
        reason = None
        for row, outcome in report.done:
            reason = lane.note_outcome(outcome, now_ms, is_test=row.is_test) or reason
            if not outcome.delivered:
                recheck_ms[row.thread_key] = self._settle_failure(direct, lane, row, outcome, now_ms)
        if reason:
            error = direct.tried(functools.partial(self._disable, direct, lane, reason, now_ms))
            if error is not None:
                row_errors.leave("webhook", lane.webhook_id, error)
        for call in {row.thread_key for row, _ in report.done} & lane.deferred_calls:
            if settle.release_deferred(direct, lane.webhook_id, call, recheck_ms.get(call, now_ms)):
                lane.deferred_calls.discard(call)
        unsent = [(row, recheck_ms.get(row.thread_key, now_ms)) for row in report.unsent]
        settle.release_unsent(direct, self._owner_id, unsent, now_ms)
        lane.may_have_more = True

    @staticmethod
    def _count_attempts(direct: RawConnection, reports: list[Report], now_ms: int) -> None:
        attempts: dict[int, list[Outcome]] = {}
        for report in reports:
            made = [o for row, o in report.done if not (o.interrupted or o.expired or row.is_test)]
            if made:
                attempts.setdefault(report.task.lane.webhook_id, []).extend(made)
        attempt_stats.add(direct, now_ms, attempts)

    @staticmethod
    def _disable(direct: RawConnection, lane: Lane, reason: str, now_ms: int) -> None:
        subject, extra = f"webhook {lane.webhook_id}", {"webhook": lane.webhook_id, "reason": reason}
        # A Zap that is turned on again subscribes anew: what it leaves behind needs nobody.
        if reason == GONE and lane.end_subscription(direct, now_ms):
            config_changed(direct)
            record(direct, subject, f"deleted: {reason}")
            log.info("Zap has unsubscribed", extra=extra)
        elif lane.disable(direct, reason):
            config_changed(direct)
            record(direct, subject, f"disabled: {reason}")
            log.warning("webhook disabled", extra=extra)
            unsubscriptions.ask(direct, lane.webhook_id)

    def _settle_failure(
        self, direct: RawConnection, lane: Lane, row: ClaimedRow, outcome: Outcome, now_ms: int
    ) -> int:
        """Settle a failed attempt. Returns when (ms) the later rows of its call may be looked at."""
        delay_ms = self._delay_ms(row, outcome)
        if not (outcome.interrupted or outcome.expired):
            self._log(lane, row, outcome, delay_ms)
        if delay_ms is None:
            end = settle.settle_expired if outcome.expired else settle.settle_failed
            if row.is_test:
                end = settle.settle_failed_test
            self._write(
                direct, outcome, now_ms, functools.partial(end, direct, self._owner_id, now_ms=now_ms)
            )
            return now_ms
        due_ms = now_ms + delay_ms
        settle_retry = functools.partial(settle.settle_retry, direct, self._owner_id, due_ms=due_ms)
        self._write(direct, outcome, now_ms, settle_retry)
        self._timers.set(lane.webhook_id, due_ms, now_ms)
        # The later rows wait for the retry, but no longer than their call may be held back.
        return min(due_ms, max(row.first_try_ms + HOLD_MS, now_ms))

    def _delay_ms(self, row: ClaimedRow, outcome: Outcome) -> int | None:
        """How long to wait before the next attempt; None: there is none."""
        if outcome.interrupted:
            return 0
        if row.is_test or outcome.final or outcome.expired:
            return None
        if outcome.disable:  # no fault of this message's: it is held with the others, whatever its tries
            return _DISABLED_MS
        return retry_delay_ms(self._schedule_s, row.tries + 1)

    @staticmethod
    def _write(
        direct: RawConnection, outcome: Outcome, now_ms: int, write: Callable[[Outcome], object]
    ) -> None:
        """Write an outcome down, as much of it as the database takes.

        First all of it, then without the texts, then without a row among the attempts. What is refused even
        so is set aside.
        """
        error = direct.tried(lambda: write(outcome))
        if error is None:
            return
        why = row_errors.reason(error)
        log.error("database refused an attempt's row", extra={"delivery": outcome.delivery_id, "reason": why})
        bare = replace(
            outcome,
            error=outcome.error and f"The attempt failed; its reason could not be stored ({why}).",
            request_headers=None,
            response_headers=None,
            response_body=f"[the response could not be stored: {why}]",
        )
        if direct.tried(lambda: write(bare)) is None:
            return
        unlogged = replace(bare, unlogged=True)

        def write_unlogged() -> None:
            write(unlogged)
            reason = f"Attempt {outcome.number} could not be stored: {why}."
            settle.set_reason(direct, outcome.delivery_id, reason)

        error = direct.tried(write_unlogged)
        if error is not None:
            set_aside(direct, outcome.delivery_id, error, now_ms)

    def _log(self, lane: Lane, row: ClaimedRow, outcome: Outcome, delay_ms: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self._logged_s.get(lane.webhook_id, -_LOG_S) < _LOG_S:
            return
        self._logged_s[lane.webhook_id] = now_s
        ids = {"webhook": lane.webhook_id, "delivery": row.id, "event": wire_id(row.body)}
        retry_s = None if delay_ms is None else round(delay_ms / 1000)
        attempt = {"attempt": outcome.number, "http_status": outcome.http_status, "retry_s": retry_s}
        log.info("attempt failed", extra={**ids, **attempt, "reason": outcome.error})
