"""What all of the API shares: times, numbers of rows, where a list goes on, and how a webhook is shown."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from webhooks.catalogue import CALL_STATUSES, EVENT_TYPES
from webhooks.services.parsing import Input, RowNumber

DEFAULT_COUNT: Final = 50
MOST: Final = 100
LARGEST_ID: Final = 10**18 - 1


def _iso(moment: datetime) -> str:
    """Write a time as the database will have it, which rounds: a row just made shows no other one later."""
    rounded = datetime.fromtimestamp(round(moment.timestamp() * 1000) / 1000, UTC)
    return rounded.isoformat(timespec="milliseconds")


Time = Annotated[
    datetime,
    PlainSerializer(_iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Row = Annotated[RowNumber, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LARGEST_ID})]


def words(catalogue: Any) -> Any:
    """Say in the document that a text is one of these."""
    return WithJsonSchema({"type": "string", "enum": [*catalogue]})


class Shown(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ListQuery(Input):
    """How many items of a list at most, and below which row to go on."""

    limit: Annotated[
        int, Field(ge=1, le=MOST), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST})
    ] = DEFAULT_COUNT
    before: Row | None = Field(default=None, description="A cursor; it stands in the header Link.")


State = Literal["active", "paused", "disabled"]
EventType = Annotated[str, words(EVENT_TYPES)]
CallStatus = Annotated[str, words(CALL_STATUSES)]
