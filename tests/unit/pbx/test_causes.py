"""Codes of an unanswered call, and the status that each means."""

import pytest

from webhooks.catalogue import CALL_STATUSES
from webhooks.pbx.causes import DIALSTATUS, Q850, SIP, status_of


@pytest.mark.parametrize("table", [SIP, Q850, DIALSTATUS], ids=["sip", "q850", "dialstatus"])
def test_every_row_has_one_code_a_status_of_ours_a_reason_and_a_source(table: tuple[object, ...]) -> None:
    rows = [row for row in (*SIP, *Q850, *DIALSTATUS) if row in table]
    assert len({row.code for row in rows}) == len(rows) == len(table)
    for row in rows:
        assert {row.status, row.rang or row.status, row.incoming or row.status} <= CALL_STATUSES.keys()
        assert row.reason and row.source


@pytest.mark.parametrize(
    ("codes", "outgoing", "incoming"),
    [
        ({"sip": 486}, "busy", "busy"),
        ({"sip": 404}, "invalid", "invalid"),
        ({"sip": 603}, "rejected", "rejected"),
        ({"sip": 403}, "blocked", "blocked"),
        ({"sip": 607}, "blocked", "blocked"),
        ({"sip": 487}, "no_answer", "missed"),
        ({"sip": 480}, "not_available", "not_available"),
        ({"sip": 480, "rang": True}, "no_answer", "missed"),
        ({"sip": 408, "rang": True}, "no_answer", "missed"),
        ({"sip": "503"}, "not_available", "not_available"),
        ({"q850": 3}, "invalid", "not_available"),
        ({"q850": 16}, "no_answer", "missed"),
        ({"q850": "17"}, "busy", "busy"),
        ({"dialstatus": "CHANUNAVAIL"}, "not_available", "not_available"),
        ({"dialstatus": "cancel"}, "no_answer", "missed"),
        ({"dialstatus": "ANSWER"}, "ended", "ended"),
        ({"dialstatus": "DONTCALL"}, "blocked", "blocked"),
        # Both come, and say different things.
        ({"sip": 403, "q850": 21}, "blocked", "blocked"),  # a switch folds 403 and 603 into 21
        ({"sip": 480, "q850": 17}, "busy", "busy"),  # the Reason header knows more than 480
        ({"q850": 21, "dialstatus": "CHANUNAVAIL"}, "rejected", "rejected"),  # 603 by PJSIP
        ({"q850": 127, "dialstatus": "CANCEL"}, "no_answer", "missed"),
        # What has no row.
        ({"sip": 200, "q850": 17}, "busy", "busy"),
        ({"sip": 999}, "not_available", "not_available"),
        ({"dialstatus": ""}, "not_available", "not_available"),
        ({}, "not_available", "not_available"),
    ],
)
def test_codes_give_the_status(codes: dict[str, object], outgoing: str, incoming: str) -> None:
    assert status_of(**codes) == outgoing  # type: ignore[arg-type]
    assert status_of(**codes, incoming=True) == incoming  # type: ignore[arg-type]
