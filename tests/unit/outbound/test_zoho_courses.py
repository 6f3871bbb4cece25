"""Recorded calls of a real Asterisk, as Zoho PhoneBridge is told of them."""

from datetime import UTC, datetime

import pytest
from pbx.replaying import BEGIN, LAB, messages, translate

from webhooks.events.schema import make_event
from webhooks.outbound.zoho_notices import Told, Wishes, notice
from webhooks.pbx.asterisk import AsteriskOptions, Translator

WISHES = Wishes({"5010": "z10", "5011": "z11", "5012": "z12"})
IN, MOBILE, OTHER = "+12025550123", "+12025550188", "+12025550177"


def course(type_: str, from_: str, to: str, *states: str) -> list[str]:
    """A call's notices where its parties stay the same."""
    return [f"{type_} {state} {from_}>{to}" for state in states]


ANSWERED = course("received", IN, "5010 z10", "ringing", "answered", "ended")
MISSED = course("received", IN, "5010 z10", "ringing", "missed")
COURSES = {
    "anonymous_caller": course("received", "anonymous", "5010 z10", "ringing", "answered", "ended"),
    "answered_callee_ends": ANSWERED,
    "answered_caller_ends": ANSWERED,
    "attended_transfer_by_digits": ANSWERED,
    "blacklisted": ["received missed +12025550166>+12025550110"],
    "blind_transfer": ANSWERED,
    "blind_transfer_no_answer": ANSWERED,
    "busy": MISSED,
    "caller_cancels": MISSED,
    "declined_603": MISSED,
    "find_me_mobile": [
        f"received ringing {IN}>5010 z10",
        f"received answered {IN}>{MOBILE}",
        f"received ended {IN}>{MOBILE}",
    ],
    "ivr_caller_ends": [f"received missed {IN}>+12025550140"],
    "no_answer": MISSED,
    "outbound_answered": course("dialed", "5010", f"{MOBILE} z10", "ringing", "answered", "ended"),
    "outbound_busy": course("dialed", "5010", f"{MOBILE} z10", "ringing", "busy"),
    "outbound_caller_cancels": course("dialed", "5010", f"{MOBILE} z10", "ringing", "noanswer"),
    "outbound_declined_603": course("dialed", "5010", f"{MOBILE} z10", "ringing", "rejected"),
    "outbound_invalid_404": course("dialed", "5010", f"{OTHER} z10", "ringing", "invalid"),
    "outbound_no_answer": course("dialed", "5010", f"{MOBILE} z10", "ringing", "noanswer"),
    "queue_abandoned": course("received", IN, "support", "ringing", "missed"),
    "queue_answered": [
        f"received ringing {IN}>support",
        f"received answered {IN}>5012 z12",
        f"received ended {IN}>5012 z12",
    ],
    "ring_group_one_answers": [
        f"received ringing {IN}>600",
        f"received answered {IN}>5011 z11",
        f"received ended {IN}>5011 z11",
    ],
    "unregistered": [f"received missed {IN}>5013"],
    "voicemail_left": MISSED,
}


def notices(name: str) -> list[dict[str, str]]:
    events = translate(Translator(AsteriskOptions()), messages(LAB / "22" / f"{name}.jsonl.gz"))
    for event in events:
        make_event(event)  # what the hook would take
    told = [Told(event, BEGIN) for event in events]
    return [notice(one, told[: number + 1], None, WISHES) for number, one in enumerate(told)]


@pytest.mark.parametrize("name", COURSES)
def test_a_call_is_told_as_zoho_documents_it(name: str) -> None:
    forms = notices(name)
    assert [
        " ".join(
            [
                form["type"],
                form["state"],
                f"{form['from']}>{form['to']}",
                *filter(None, [form.get("zohouser")]),
            ]
        )
        for form in forms
    ] == COURSES[name]
    assert len({form["id"] for form in forms}) == 1, "a call has one id"
    for form in forms:
        over = form["state"] not in ("ringing", "answered")
        assert ("start_time" in form) == over
        assert ("duration" in form) == (form["state"] == "ended")
        if over:  # Zoho's own form, GMT
            begin = datetime.strptime(form["start_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            assert begin.date() == BEGIN.date()
