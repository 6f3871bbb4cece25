"""What to list of the delivery log; the same for pages, the export, commands and the API."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES, FILTER_LABELS, FILTERS
from webhooks.errors import Invalid
from webhooks.services.parsing import Input, Moment, RowNumber, one_of

_NUMBER_LENGTH = 200  # characters; only the last digits of a number count


def _without_nul(text: str) -> str | None:
    return text.replace("\0", "") or None


class DeliveryFilter(Input):
    """A filter of deliveries; None leaves a field open.

    ``state`` is a state, or ``failing`` for those to be tried again and those that have failed, or
    ``retrying`` for the first of these alone. ``since`` ≤ accepted < ``until``. ``call`` is a whole
    ``thread_id``, ``number`` the end of a phone number, or a part of a name.
    """

    webhook: RowNumber | None = Field(default=None, title="Webhook")
    location: RowNumber | None = Field(default=None, title="Location")
    state: Annotated[str, one_of(FILTER_LABELS)] | None = Field(default=None, title="State")
    type: Annotated[str, one_of(EVENT_TYPES)] | None = Field(default=None, title="Event")
    status: Annotated[str, one_of(CALL_STATUSES)] | None = Field(default=None, title="Call status")
    call: Annotated[str | None, AfterValidator(lambda text: text and _without_nul(text))] = None
    number: Annotated[str | None, AfterValidator(lambda text: text and text[:_NUMBER_LENGTH])] = None
    since: Moment | None = Field(default=None, title="Accepted since")
    until: Moment | None = Field(default=None, title="Accepted until")

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> "DeliveryFilter":
        if self.since and self.until and self.since >= self.until:
            raise Invalid("The end of the span has to be after its start.", "until")
        return self

    @property
    def name(self) -> str | None:
        """What to look for in names, without regard to case: what was given as a number and has no digit."""
        text = (self.number or "").strip()
        return text.casefold() if text and not any(map(str.isdigit, text)) else None

    @property
    def states(self) -> tuple[str, ...] | None:
        """The states to list, with ``retrying`` for those pending ones that failed before; None: all."""
        return None if self.state is None else FILTERS.get(self.state, (self.state,))

    @property
    def is_open(self) -> bool:
        """Whether it lets every delivery through."""
        return all(value is None for _, value in self)
