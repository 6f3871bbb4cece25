"""The fields of an event that have a meaning, and the rules that they keep."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from webhooks.catalogue import CALL_STATUSES, CALL_TYPES, EVENT_TYPES
from webhooks.errors import FieldError, InvalidEvent
from webhooks.events.strict_json import Members
from webhooks.events.timestamps import iso_time

MAX_TEXT: Final = 1000  # characters
MAX_ID: Final = 200  # characters


def _text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    raise PydanticCustomError("text", 'has to be text: put it in quotes, as in "0123"')


def _id(value: str | None) -> str | None:
    if value is None:
        return None
    if not value.strip():  # all of these would be one event
        raise PydanticCustomError("id", "is blank: leave it out where there is none")
    if len(value) > MAX_ID:
        raise PydanticCustomError("id", "is longer than {most} characters", {"most": MAX_ID})
    return value


def _time(value: Any) -> Any:
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        return iso_time(value)
    except ValueError:
        raise PydanticCustomError(
            "time",
            "has to be an ISO 8601 time such as 2023-11-14T21:45:22Z (a + in a form is written %2B), "
            "or seconds since 1970 (no milliseconds)",
        ) from None


def _one_of(words: dict[str, str]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or value not in words:
            raise PydanticCustomError("word", "has to be one of {words}", {"words": ", ".join(words)})
        return value

    return BeforeValidator(check)


_Text = Annotated[str | None, Field(max_length=MAX_TEXT), BeforeValidator(_text)]


class EventFields(BaseModel):
    """The fields that have a meaning; all further ones are passed on unread."""

    model_config = ConfigDict(frozen=True)

    type: Annotated[str, _one_of(EVENT_TYPES)]
    subtype: str | None = None
    id: Annotated[str | None, BeforeValidator(_id), BeforeValidator(_text)] = None
    thread_id: Annotated[str | None, BeforeValidator(_text)] = None
    to: _Text = None
    from_: _Text = Field(default=None, alias="from")
    to_name: _Text = None
    from_name: _Text = None
    timestamp: Annotated[str | None, BeforeValidator(_time)] = None


_MESSAGES: Final = {
    "missing": "is missing",
    "string_too_long": f"is longer than {MAX_TEXT:,} characters",
}
_NAMES: Final = tuple(field.alias or name for name, field in EventFields.model_fields.items())


def validated(members: Members, place: Callable[[str], str]) -> EventFields:
    """Check an event's fields. ``place`` tells where a field is, for its error.

    Raises:
        InvalidEvent: all errors of the fields one by one, or else that the subtype does not fit the type.
    """
    try:
        fields = EventFields.model_validate({name: members[name].value for name in _NAMES if name in members})
    except ValidationError as error:
        raise InvalidEvent(
            [
                FieldError(place(str(fault["loc"][0])), _MESSAGES.get(fault["type"], fault["msg"]))
                for fault in error.errors(include_url=False)
            ]
        ) from None
    _check_subtype(fields, place)
    return fields


def _check_subtype(fields: EventFields, place: Callable[[str], str]) -> None:
    at = place("subtype")
    if fields.type not in CALL_TYPES:
        if fields.subtype:
            raise InvalidEvent([FieldError(at, f"has to be left out: a {fields.type} has none")])
    elif not fields.subtype:
        raise InvalidEvent([FieldError(at, f"is missing: one of {', '.join(CALL_STATUSES)}")])
    elif fields.subtype not in CALL_STATUSES:
        raise InvalidEvent([FieldError(at, f"has to be one of {', '.join(CALL_STATUSES)}")])
