"""Threads of the housekeeping process that speak to others: a mail server, an alerts' URL, receivers, Zapier.

Each waits for its own: a mail server that hangs delays neither the URL nor housekeeping.
"""

import functools
import logging
import threading
from collections.abc import Callable
from typing import Final

from webhooks.db.store import Store
from webhooks.errors import Unavailable
from webhooks.services.certificates import Certificates
from webhooks.services.channels import CHANNELS
from webhooks.services.notices import Notices
from webhooks.services.unsubscriptions import Unsubscriptions
from webhooks.settings import Settings

_LOOK_S: Final = 1.0
_CERTIFICATES_S: Final = 60.0
_BACK_OFF_S: Final = 10.0

log = logging.getLogger(__name__)


def start_threads(settings: Settings, store: Store, notices: Notices, stop: threading.Event) -> None:
    """Begin to send alerts, to look at certificates and to tell Zapier what ended, until ``stop``."""

    def begin(name: str, every_s: float, duty: Callable[[], int]) -> None:
        arguments = (duty, every_s, stop)
        threading.Thread(target=_repeat, args=arguments, name=name, daemon=True).start()

    for channel in CHANNELS:
        begin(f"alerts-{channel}", _LOOK_S, functools.partial(notices.send_due, channel))
    begin("certificates", _CERTIFICATES_S, Certificates(settings, store).check_due)
    begin("zapier", _LOOK_S, Unsubscriptions(settings, store).send_due)


def _repeat(duty: Callable[[], int], every_s: float, stop: threading.Event) -> None:
    wait_s = every_s
    while not stop.wait(wait_s):
        wait_s = every_s
        try:
            duty()
        except Unavailable:
            wait_s = _BACK_OFF_S  # housekeeping says why
        except Exception:
            wait_s = _BACK_OFF_S
            log.exception("internal error in a duty; it is tried again", extra={"duty": duty})
