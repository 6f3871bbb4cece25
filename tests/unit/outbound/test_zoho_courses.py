"""Recorded calls of a real Asterisk, as Zoho PhoneBridge is told of them."""

from datetime import UTC, datetime

import pytest
from pbx.replaying import BEGIN, LAB, messages, translate
from zoho.courses import COURSES, EXTENSIONS, described

from webhooks.events.schema import make_event
from webhooks.outbound.zoho_notices import Told, Wishes, notice
from webhooks.pbx.asterisk import AsteriskOptions, Translator


def notices(name: str) -> list[dict[str, str]]:
    events = translate(Translator(AsteriskOptions()), messages(LAB / "22" / f"{name}.jsonl.gz"))
    for event in events:
        make_event(event)  # what the hook would take
    told = [Told(event, BEGIN) for event in events]
    return [notice(one, told[: number + 1], None, Wishes(EXTENSIONS)) for number, one in enumerate(told)]


@pytest.mark.parametrize("name", COURSES)
def test_a_call_is_told_as_zoho_documents_it(name: str) -> None:
    forms = notices(name)
    assert [described(form) for form in forms] == COURSES[name]
    assert len({form["id"] for form in forms}) == 1, "a call has one id"
    for form in forms:
        over = form["state"] not in ("ringing", "answered")
        assert ("start_time" in form) == over
        assert ("duration" in form) == (form["state"] == "ended")
        if over:  # Zoho's own form, GMT
            begin = datetime.strptime(form["start_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            assert begin.date() == BEGIN.date()
