"""What no wake-up tells of: the worker's own heartbeat, dead workers, webhooks paused, resumed or deleted."""

import functools
import logging

from webhooks.db import row_errors
from webhooks.db.store import Store
from webhooks.dispatcher.liveness import Liveness, release_worker
from webhooks.outbox import hold

log = logging.getLogger(__name__)


class Maintenance:
    """``run`` it at each poll, in the dispatcher's thread."""

    def __init__(self, store: Store, liveness: Liveness) -> None:
        self._store, self._liveness = store, liveness

    def run(self, *, apply_states: bool) -> None:
        """Do what is to be done, each item in a transaction of its own; most times nothing is written.

        ``apply_states``: also move the deliveries of webhooks whose state changed, a batch a webhook.

        Raises:
            Replaced: other workers have taken this one for dead.
        """
        self._liveness.check_connection()
        with self._store.direct_read() as direct:
            self._liveness.check_registered(direct)
        with self._store.read() as session:
            connection = session.connection()
            dead = self._liveness.dead_workers(connection)
            out_of_step = hold.out_of_step(connection) if apply_states else []
        left_alone = row_errors.left_alone("webhook")
        out_of_step = [webhook_id for webhook_id in out_of_step if webhook_id not in left_alone]
        if not dead and not out_of_step and not self._liveness.heartbeat_is_due:
            return
        with self._store.write(wait=None) as session:
            self._liveness.heartbeat(session.connection())
        for worker_id in dead:
            self._release(worker_id)
        for webhook_id in out_of_step:
            with self._store.direct(wait=None) as direct:
                error = direct.tried(functools.partial(hold.apply_batch, direct, webhook_id))
                if error is not None:
                    row_errors.leave("webhook", webhook_id, error)

    def _release(self, worker_id: str) -> None:
        with self._store.direct(wait=None) as direct:
            rows = release_worker(direct, worker_id)
        log.warning(
            "worker is gone; its deliveries are sent again", extra={"worker": worker_id, "deliveries": rows}
        )
        self._liveness.remove_lock_file(worker_id)
