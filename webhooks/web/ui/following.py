"""Following a delivery that a person wants tried now, until its next attempt has an outcome."""

from dataclasses import dataclass

from webhooks.db.models import Delivery
from webhooks.services.container import services
from webhooks.services.delivery_state import Facts
from webhooks.services.parsing import Cursor, Input, RowNumber


class TriedQuery(Input):
    """``tried``: a delivery that is followed. ``attempts``: how many it had before."""

    tried: Cursor = None
    attempts: RowNumber = 0


@dataclass(frozen=True, slots=True)
class Followed:
    """A delivery that had ``before`` attempts, and how it stands."""

    delivery: Delivery
    facts: Facts
    before: int

    @property
    def is_open(self) -> bool:
        """Whether the attempt is still to come, or under way."""
        had_it = self.facts.attempts > self.before and not self.facts.sending
        return self.facts.state == "pending" and not had_it


def follow(delivery_id: int, before: int) -> Followed:
    """Read how a delivery stands that had ``before`` attempts. Raises NotFound."""
    facts = services().deliveries.facts_of(delivery_id)
    return Followed(services().deliveries.get(delivery_id), facts, before)
