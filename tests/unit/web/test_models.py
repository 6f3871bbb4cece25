"""The models that pages, commands and the API share: what each takes, and what it says of the rest."""

import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from webhooks.errors import Invalid
from webhooks.outbound.options import Options
from webhooks.services.delivery_filter import DeliveryFilter
from webhooks.services.inboxes import InboxAnswer
from webhooks.services.parsing import Input, parse
from webhooks.services.password import NewPassword
from webhooks.services.replays import ReplayInput
from webhooks.services.webhook_input import WebhookInput
from webhooks.web.ui.settings import PasswordForm
from webhooks.web.ui.webhook_form import WebhookForm

CALL = {"kind": "call", "url": "https://crm.example/"}
MEDIA = {"kind": "media", "url": "https://crm.example/"}


@pytest.mark.parametrize(
    ("model", "values", "field", "sentence"),
    [
        (WebhookInput, {**CALL, "kind": "fax"}, "kind", "“Kind” has to be 'call' or 'media'."),
        (WebhookInput, {"kind": "call"}, "url", "“URL” is missing."),
        (WebhookInput, {**CALL, "types": ["voicemail"]}, "types", "of a call webhook is one of"),
        (WebhookInput, {**MEDIA, "types": ["incoming_call"]}, "types", "of a media webhook is one of"),
        (WebhookInput, {**CALL, "statuses": ["busy", "asleep"]}, "statuses", "status is one of ringing"),
        (WebhookInput, {**MEDIA, "statuses": ["missed"]}, "statuses", "A media webhook has no status."),
        (WebhookInput, {**CALL, "description": "x" * 501}, "description", "has at most 500 characters."),
        (WebhookInput, {**CALL, "description": "a\0b"}, "description", "printable characters only."),
        (WebhookInput, {**CALL, "options": {"rate": 0}}, "rate", "has to be more than 0."),
        (Options, {"headers": "no colon"}, "headers", "The header line 'no colon' has to be “Name: value”."),
        (Options, {"headers": "A: b\nA: c"}, "headers", "The header A is given twice."),
        (Options, {"headers": {"A": "b", "a": "c"}}, "headers", "A header is given twice."),
        (Options, {"headers": ["Host: x"]}, "headers", "The header Host is set by the appliance."),
        (Options, {"headers": "A: •••"}, "headers", "The header A has no value yet: write it out."),
        (Options, {"headers": "A:"}, "headers", "The value of the header A has 1 to 2,000 printable"),
        (Options, {"headers": "A b: c"}, "headers", "'A b' is no header name."),
        (Options, {"headers": [f"A{n}: b" for n in range(21)]}, "headers", "At most 20 headers can be set."),
        (Options, {"headers": 7}, "headers", "“Custom headers” has to be an object."),
        (Options, {"concurrency": "many"}, "concurrency", "“Requests at a time” has to be a whole number."),
        (Options, {"timeout": 26}, "timeout", "“Timeout in seconds” has to be at most 25."),
        (Options, {"rate": "inf"}, "rate", "“Requests a second” has to be at most 10000."),
        (Options, {"max_age": "1.5"}, "max_age", "“Maximum age in seconds” has to be a whole number."),
        (Options, {"ca": "no PEM"}, "ca", "“Certificate authority” has to be a certificate in PEM form."),
        (Options, {"ca": "x" * 100_001}, "ca", "“Certificate authority” has at most 100,000 characters."),
        (DeliveryFilter, {"state": "lost"}, "state", "“State” has to be one of pending, held"),
        (DeliveryFilter, {"webhook": "x"}, "webhook", "“Webhook” has to be an id, a whole"),
        (DeliveryFilter, {"since": "2026-02-01", "until": "2026-01-01"}, "until", "after its start."),
        (InboxAnswer, {"status": 999}, "status", "“Answer” has to be one of 200, 204"),
        (InboxAnswer, {"status": 200, "delay": 10.1}, "delay", "“Delay in seconds” has to be at most 10."),
        (InboxAnswer, {"status": 200, "delay": "nan"}, "delay", "“Delay in seconds” has to be"),
        (ReplayInput, {}, "since", "“Accepted since” is missing."),
        (ReplayInput, {"since": "2026-01-01", "states": []}, "states", "The states to send again are among"),
        (ReplayInput, {"since": "2026-01-01", "states": ["held"]}, "states", "are among failed"),
        (ReplayInput, {"since": "2026-02-01", "until": "2026-01-01"}, "until", "after its start."),
        (NewPassword, {"new": "short"}, "new", "A password has at least 8 characters."),
        (PasswordForm, {"present": "x", "new": "12345678", "again": "1234567 "}, "again", "do not match."),
    ],
)  # fmt: skip
def test_a_fault_names_its_field(
    model: type[Input], values: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as caught:
        parse(model, values)
    assert caught.value.field == field
    assert sentence in str(caught.value)


def test_headers_are_read_from_lines_lists_and_objects_alike() -> None:
    lines = "Authorization: Bearer a:b\n\n  X-Shop :7  "
    wanted = {"Authorization": "Bearer a:b", "X-Shop": "7"}
    for given_ in (lines, lines.splitlines(), tuple(lines.splitlines()), wanted):
        assert parse(Options, {"headers": given_}).headers == wanted


def test_a_filter_is_open_until_a_field_is_set() -> None:
    query: MultiDict[str, str] = MultiDict({"state": "", "number": " ", "before": "7", "unknown": "x"})
    assert parse(DeliveryFilter, query).is_open
    assert [parse(DeliveryFilter, MultiDict({"number": text})).name for text in ("José", "0 30", " ")] == [
        "josé", None, None,
    ]  # fmt: skip
    assert not parse(DeliveryFilter, MultiDict({"call": "x\0"})).is_open
    assert parse(DeliveryFilter, MultiDict({"call": "\0"})).call is None
    assert len(parse(DeliveryFilter, MultiDict({"number": "1" * 999})).number or "") == 200


def test_a_replay_is_of_what_failed_or_is_retried_unless_states_are_named() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert parse(ReplayInput, MultiDict({"since": "2026-01-01T00:00"})) == ReplayInput(since=since)
    named = parse(
        ReplayInput, MultiDict([("since", "2026-01-01"), ("state", "expired"), ("state", "expired")])
    )
    assert named.states == ("expired",)
    span = ReplayInput(since=since, until=since).span()
    assert (span.since_ms, span.until_ms, span.states) == (
        1767225600000,
        1767225600000,
        ("failed", "retrying"),
    )


TEXTS = st.text(string.printable, max_size=20)


@given(st.dictionaries(st.sampled_from([*WebhookForm.__dataclass_fields__, "no_verify"]), TEXTS))
def test_the_form_of_a_webhook_is_taken_or_names_one_of_its_fields(texts: dict[str, str]) -> None:
    form = WebhookForm.typed(MultiDict(texts))
    try:
        wanted = parse(WebhookInput, form.new("call"))
    except Invalid as error:
        assert error.field in WebhookForm.__dataclass_fields__
    else:
        assert wanted.url == form.url
        assert wanted.options.verify == ("no_verify" not in texts)


@pytest.mark.parametrize(
    ("chosen", "ticked", "wanted"),
    [
        ("", [], ()),
        ("missed", [], ("missed",)),
        ("missed", ["no_answer", "busy"], ("missed", "busy", "no_answer")),
        ("", ["busy", "no_answer"], ("busy", "no_answer")),
        ("busy", ["busy"], ("busy",)),
    ],
)
def test_the_list_and_the_boxes_of_a_form_count_together(
    chosen: str, ticked: list[str], wanted: tuple[str, ...]
) -> None:
    given_ = MultiDict([("url", "https://crm.example/"), *(("statuses", word) for word in (chosen, *ticked))])
    form = WebhookForm.typed(given_)
    assert parse(WebhookInput, form.new("call")).statuses == wanted
    assert (form.statuses[0], form.has_several) == (chosen, bool(ticked))


def test_an_option_left_blank_is_reset_by_a_change_and_left_out_of_a_new_webhook() -> None:
    form = WebhookForm.typed(MultiDict({"url": "https://crm.example/", "rate": "2"}))
    assert form.new("call")["options"] == {"rate": "2"}
    assert form.changes()["options"] == {
        "headers": None, "concurrency": None, "rate": "2", "timeout": None, "max_age": None, "ca": None,
        "verify": None, "client_certificate": None, "client_key": None,
    }  # fmt: skip


@pytest.mark.parametrize(("text", "version"), [("", None), ("7", 7), ("x", 0), ("1.0", 0), ("9" * 5000, 0)])
def test_a_version_that_is_none_is_no_webhooks(text: str, version: int | None) -> None:
    assert WebhookForm.typed(MultiDict({"version": text})).version == version
