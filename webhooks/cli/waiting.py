"""Waiting for the next attempt of a delivery, with a word on standard error if it takes long."""

import sys
import time
from datetime import UTC, datetime
from typing import Final

import click

from webhooks.cli.common import iso
from webhooks.services.container import services
from webhooks.services.delivery_state import Facts, State, state_of

_QUIET_S: Final = 2.0  # before it says that it waits
_LONGEST_S: Final = 60.0  # longer than any attempt takes
_LOOK_S: Final = 0.1


def standing(facts: Facts) -> State:
    """How a delivery stands now, its times in ISO 8601."""
    return state_of(facts, datetime.now(UTC), iso)


def wait_for_attempt(delivery_id: int, attempts: int) -> Facts:
    """Wait until a delivery has had more than so many ``attempts``, or is settled.

    Returns how it stands then; as it stands, too, where it is plain that no attempt comes soon.
    """
    began_s, told = time.monotonic(), False
    while True:
        facts = services().deliveries.facts_of(delivery_id)
        waited_s = time.monotonic() - began_s
        if facts.state != "pending" or (facts.attempts > attempts and not facts.sending):
            return facts
        if waited_s > _LONGEST_S or (waited_s > _QUIET_S and standing(facts).until is not None):
            return facts
        if waited_s > _QUIET_S and not told:
            click.echo(f"Waiting for delivery {delivery_id} …", err=True)
            told = True
        time.sleep(_LOOK_S)


def end_by(facts: Facts) -> None:
    """Exit with status 1 where the delivery was not delivered."""
    if facts.state != "delivered":
        sys.exit(1)
