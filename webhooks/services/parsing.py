"""Input of people and programs, read into pydantic models; each fault is one sentence that names its field.

Forms, queries, commands and API bodies all go through ``parse``: a rule and its sentence stand once.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from webhooks.errors import Invalid
from webhooks.events.strict_json import pointer
from webhooks.faults import need

Model = TypeVar("Model", bound=BaseModel)
_Localize = Callable[[datetime], datetime]

_ROW_DIGITS: Final = 18  # a row's number fits into 63 bits
_QUOTED: Final = 60  # characters of a wrong value that its sentence quotes


class Input(BaseModel):
    """Base of what people and programs give. A field's ``title`` is its name on pages.

    Blanks around a text are cut off. A name that the model does not have is refused, but in a form: that one
    carries buttons and hidden fields as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, loc_by_alias=False)


def parse(model: type[Model], given: Mapping[str, Any], localize: _Localize | None = None) -> Model:
    """Read a form, a query, or the values of a command or an API body into a model.

    Args:
        given: a ``MultiDict`` is a form or a query: what is left blank there counts as left out.
        localize: gives a time without a zone its zone; left out, it is UTC.

    Raises:
        Invalid: one sentence, with the field's name.
    """
    values = _form_values(model, given) if isinstance(given, MultiDict) else given
    with _one_sentence(model):
        return model.model_validate(values, context={"localize": localize or _as_utc})


def parse_json(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Read a JSON object, where a number is a number and text is text, into a model. Raises Invalid."""
    with _one_sentence(model):
        # From text, because only there pydantic takes an array for a tuple and is strict besides.
        return model.model_validate_json(json.dumps(given), strict=True)


@contextlib.contextmanager
def _one_sentence(model: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise _invalid(model, error.errors(include_url=False)[0]) from None


def _form_values(model: type[BaseModel], form: MultiDict[str, str]) -> dict[str, Any]:
    """The model's own fields, without those left blank; browsers end lines with a carriage return as well."""
    strips = model.model_config.get("str_strip_whitespace", False)
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        texts = [text for spelling in _spellings(name, field) for text in form.getlist(spelling)]
        texts = [text.replace("\r\n", "\n") for text in texts if (text.strip() if strips else text)]
        if texts:
            values[name] = texts if get_args(field.annotation)[-1:] == (...,) else texts[0]
    return values


def _spellings(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [name]


def _invalid(model: type[BaseModel], error: ErrorDetails) -> Invalid:
    """The fault as a sentence: the validator's own where it is one, else the field's title and its need."""
    name, title = _field(model, error)
    place = pointer(*error["loc"])
    if error["type"] == "value_error" and str(error["ctx"]["error"]).endswith("."):
        return Invalid(str(error["ctx"]["error"]), name, place)
    return Invalid(f"“{title}” {need(error)}.", name, place)


def _field(model: type[BaseModel], error: ErrorDetails) -> tuple[str | None, str]:
    """The innermost field's name and its title."""
    name, title = None, "The input"
    current: Any = model
    for part in map(str, error["loc"]):
        fields: dict[str, FieldInfo] = getattr(current, "model_fields", {})
        if part not in fields:
            return (part, part) if error["type"] == "extra_forbidden" else (name, title)
        name, title = part, fields[part].title or part.replace("_", " ").capitalize()
        current = fields[part].annotation
    return name, title


# --- types of fields ---


def one_of(words: Mapping[str, str]) -> AfterValidator:
    """A text that is one of the words of the catalogue."""

    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"has to be one of {', '.join(words)}, not {value[:_QUOTED]!r}")
        return value

    return AfterValidator(check)


def one_of_items(words: Iterable[str]) -> dict[str, Any]:
    """Say in a JSON schema that the items of a list are some of these words."""
    return {"items": {"type": "string", "enum": [*words]}}


def row_number(text: str) -> int | None:
    """A row's number, as an address or a form has it; None for what no row can have."""
    return int(text) if text.isdecimal() and len(text) <= _ROW_DIGITS else None


def _row_number(value: object) -> int:
    number = row_number(str(value).strip())
    if number is None:
        raise ValueError(f"has to be an id, a whole number such as 17, not {str(value)[:_QUOTED]!r}")
    return number


RowNumber = Annotated[int, BeforeValidator(_row_number)]
# Where a list goes on. An address may be old or cut: what is no number is passed over.
Cursor = Annotated[int | None, BeforeValidator(lambda value: row_number(str(value)))]


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _moment(value: object, info: ValidationInfo) -> datetime:
    """ISO 8601, as ``datetime-local`` inputs and programs write it."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        return moment if moment.tzinfo else (info.context or {}).get("localize", _as_utc)(moment)
    except (ValueError, OverflowError):
        raise ValueError(f"has to be a time such as 2026-11-24 08:00, not {str(value)[:_QUOTED]!r}") from None


Moment = Annotated[datetime, BeforeValidator(_moment)]


def _name(text: str) -> str:
    if not 1 <= len(text) <= 100 or not text.isprintable():
        raise ValueError("has 1 to 100 printable characters")
    return text


Name = Annotated[str, AfterValidator(_name)]


class Named(Input):
    """A location or an API key, as people call it."""

    name: Name = Field(title="Name")
