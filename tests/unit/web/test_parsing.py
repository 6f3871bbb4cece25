"""``parse``: what forms, queries, commands and API bodies may hold, and the sentence for the rest."""

import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, ConfigDict, Field
from werkzeug.datastructures import MultiDict

from webhooks.errors import Invalid
from webhooks.services.parsing import Cursor, Input, Moment, Named, RowNumber, one_of, parse

TEXTS = st.text(string.printable + "äß😀\0\ud800", max_size=30)
BERLIN = timezone(timedelta(hours=1))


class Inner(Input):
    """A model in a model."""

    size: int = Field(default=1, ge=1, le=9, title="Size")
    share: float | None = Field(default=None, gt=0)


class Sample(Input):
    """One field of each type."""

    text: str = Field(default="", max_length=5, title="Text")
    count: int | None = Field(default=None, title="Count")
    color: Annotated[str, one_of({"red": "Red", "blue": "Blue"})] | None = Field(default=None, title="Color")
    kind: Literal["call", "media"] | None = None
    row: RowNumber | None = Field(default=None, title="Row")
    before: Cursor = None
    at: Moment | None = Field(default=None, title="Begin")
    tags: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("tags", "tag"))
    inner: Inner = Inner()
    on: bool = True


class Secret(Input):
    """A text whose blanks count."""

    model_config = ConfigDict(str_strip_whitespace=False)

    word: str


def fault(model: type[Input], values: dict[str, Any]) -> tuple[str | None, str]:
    with pytest.raises(Invalid) as caught:
        parse(model, values)
    return caught.value.field, str(caught.value)


def test_a_form_is_read_without_its_blanks_and_its_buttons() -> None:
    form = MultiDict([("text", " a\r\nb "), ("count", ""), ("color", "  "), ("save", "1"), ("row", " 17 ")])
    sample = parse(Sample, form)
    assert (sample.text, sample.count, sample.color, sample.row) == ("a\nb", None, None, 17)
    assert sample.model_fields_set == {"text", "row"}


def test_a_field_that_a_form_repeats_is_a_list_where_the_model_has_one() -> None:
    sample = parse(Sample, MultiDict([("tag", "a"), ("tag", ""), ("tag", "b"), ("text", "x"), ("text", "y")]))
    assert (sample.tags, sample.text) == (("a", "b"), "x")
    assert parse(Sample, {"tags": ["a"]}).tags == ("a",)


def test_a_passwords_blanks_stay() -> None:
    assert parse(Secret, MultiDict({"word": "  "})).word == "  "


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"text": "longer"}, "text", "“Text” has at most 5 characters."),
        ({"text": 5}, "text", "“Text” has to be text."),
        ({"count": "many"}, "count", "“Count” has to be a whole number."),
        ({"count": "1.5"}, "count", "“Count” has to be a whole number."),
        ({"count": "9" * 5000}, "count", "“Count” has to be a whole number."),
        ({"color": "green"}, "color", "“Color” has to be one of red, blue, not 'green'."),
        ({"kind": "fax"}, "kind", "“Kind” has to be 'call' or 'media'."),
        ({"row": "-1"}, "row", "“Row” has to be an id, a whole number such as 17, not '-1'."),
        ({"row": 10**30}, "row", f"“Row” has to be an id, a whole number such as 17, not '{10**30}'."),
        ({"at": "soon"}, "at", "“Begin” has to be a time such as 2026-11-24 08:00, not 'soon'."),
        ({"tags": "a"}, "tags", "“Tags” has to be a list."),
        ({"inner": {"size": 10}}, "size", "“Size” has to be at most 9."),
        ({"inner": {"size": 0}}, "size", "“Size” has to be at least 1."),
        ({"inner": {"share": 0}}, "share", "“Share” has to be more than 0."),
        ({"inner": {"share": "x"}}, "share", "“Share” has to be a number."),
        ({"inner": {"no": 1}}, "no", "“no” is not known here."),
        ({"inner": 7}, "inner", "“Inner” has to be an object."),
        ({"on": "perhaps"}, "on", "“On” has to be true or false."),
        ({"unknown": 1}, "unknown", "“unknown” is not known here."),
    ],
)
def test_a_fault_is_one_sentence_that_names_the_field(
    values: dict[str, Any], field: str, sentence: str
) -> None:
    assert fault(Sample, values) == (field, sentence)


def test_what_is_missing_is_said_to_be() -> None:
    assert fault(Named, {}) == ("name", "“Name” is missing.")
    assert fault(Named, {"name": " "}) == ("name", "“Name” has 1 to 100 printable characters.")
    assert fault(Named, {"name": "two\nlines"})[0] == "name"


def test_a_time_without_a_zone_is_utc_or_what_the_caller_says() -> None:
    assert parse(Sample, {"at": "2026-11-24T08:00"}).at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    at_home = parse(Sample, {"at": "2026-11-24 08:00"}, lambda moment: moment.replace(tzinfo=BERLIN))
    assert at_home.at == datetime(2026, 11, 24, 7, tzinfo=UTC)
    assert parse(Sample, {"at": "2026-11-24T08:00Z"}, lambda moment: moment.replace(tzinfo=BERLIN)).at == (
        datetime(2026, 11, 24, 8, tzinfo=UTC)
    )


def test_a_time_that_no_zone_can_have_is_a_fault() -> None:
    with pytest.raises(Invalid, match="a time such as"):
        parse(Sample, {"at": "0001-01-01T00:00"}, lambda moment: moment.astimezone(timezone.max))


def test_a_cursor_that_is_none_is_passed_over() -> None:
    assert [parse(Sample, MultiDict({"before": text})).before for text in ("x", "-1", "9" * 30, "12")] == [
        None, None, None, 12,
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from([*Sample.model_fields, "x"]), st.one_of(
    TEXTS, st.integers(), st.floats(), st.none(), st.booleans(), st.lists(TEXTS),
    st.dictionaries(st.sampled_from(["size", "share", "x"]), TEXTS),
)))  # fmt: skip
def test_whatever_comes_is_taken_or_refused_in_a_sentence(values: dict[str, Any]) -> None:
    try:
        parse(Sample, values)
    except Invalid as error:
        sentence = str(error)
        assert sentence.startswith("“") and sentence.endswith(".")
        assert "pydantic" not in sentence and "Input should" not in sentence and "_length}" not in sentence


@given(st.dictionaries(st.sampled_from([*Sample.model_fields, "x"]), TEXTS))
def test_whatever_a_form_holds_is_taken_or_refused_in_a_sentence(texts: dict[str, str]) -> None:
    try:
        parse(Sample, MultiDict(texts))
    except Invalid as error:
        assert error.field in Sample.model_fields
