"""Why a call came to nothing: SIP codes, Q.850 causes and DIALSTATUS words, turned into our statuses.

Systems write one reason in several ways, and fold several reasons into one code: 480 is a phone that rang
out and one that is switched off, 603 a person and a carrier's filter. Each row says which was chosen, and
why. A page shows the table.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple


class Cause(NamedTuple):
    """What one code means for a call that nobody answered.

    ``status`` is of an outgoing call. ``rang``: the status if the phone is known to have rung; ``incoming``:
    the status of an incoming call. "" is as ``status``; for an incoming call ``no_answer`` is ``missed``.
    ``vague``: the code has several meanings, so that a clear code of another kind goes before it.
    """

    code: str
    status: str
    reason: str
    source: str
    rang: str = ""
    incoming: str = ""
    vague: bool = False


_RFC_3261: Final = "RFC 3261, section 21"
_RFC_3398: Final = "RFC 3398, section 8.2.6.1"
_Q850: Final = "ITU-T Q.850, table 1"
_DIAL: Final = "Asterisk, application Dial"

SIP: Final = (
    Cause(
        "401", "not_available", "Registration or password of the trunk is wrong: nobody's decision", _RFC_3261
    ),
    Cause("403", "blocked", "A network or a PBX forbids the call, not a person", _RFC_3261),
    Cause("404", "invalid", "The number is unknown", _RFC_3398),
    Cause(
        "407", "not_available", "Registration or password of the trunk is wrong: nobody's decision", _RFC_3261
    ),
    Cause("408", "not_available", "The other end never replied", _RFC_3398, "no_answer", vague=True),
    Cause("410", "invalid", "The number has changed", _RFC_3398),
    Cause(
        "480",
        "not_available",
        "Rang out, or absent: only the ringing tells",
        _RFC_3398,
        "no_answer",
        vague=True,
    ),
    Cause("484", "invalid", "The number is incomplete", _RFC_3398),
    Cause("485", "invalid", "The number is ambiguous", _RFC_3398),
    Cause("486", "busy", "The phone is busy, or set to do not disturb", _RFC_3398),
    Cause("487", "no_answer", "The caller gave up: the echo of our own CANCEL", _RFC_3261),
    Cause("488", "not_available", "The two ends have no codec in common", _RFC_3261),
    Cause("500", "not_available", "Failure at the other end", _RFC_3398, vague=True),
    Cause("502", "not_available", "Failure in the network", _RFC_3398, vague=True),
    Cause("503", "not_available", "The trunk or the network is overloaded or down", _RFC_3398, vague=True),
    Cause("504", "not_available", "The network did not reply in time", _RFC_3398, vague=True),
    Cause("600", "busy", "Busy at every phone", _RFC_3398),
    Cause("603", "rejected", "The person declined", _RFC_3398),
    Cause("604", "invalid", "The number exists nowhere", _RFC_3398),
    Cause("606", "not_available", "The two ends have no codec in common", _RFC_3261),
    Cause("607", "blocked", "The person had marked the caller as unwanted", "RFC 8197"),
    Cause("608", "blocked", "A filter in the network refused the caller", "RFC 8688"),
)

Q850: Final = (
    Cause("0", "no_answer", "No cause given: the call ended unanswered", "Asterisk, hang-up causes"),
    Cause("1", "invalid", "The number is unknown", _Q850),
    Cause("2", "invalid", "No route to this network", _Q850),
    Cause(
        "3", "invalid", "No route to the number; inside, a phone that is not registered", _Q850,
        incoming="not_available",
    ),
    Cause("5", "invalid", "A wrong prefix was dialled", _Q850),
    Cause("16", "no_answer", "Hung up in the normal way, before an answer", _Q850),
    Cause("17", "busy", "Busy", _Q850),
    Cause("18", "not_available", "No reply at all", _Q850, "no_answer", vague=True),
    Cause("19", "no_answer", "Rang out", _Q850, vague=True),
    Cause("20", "not_available", "Absent: no phone is registered", _Q850),
    Cause("21", "rejected", "Declined", _Q850),
    Cause("22", "invalid", "The number has changed", _Q850),
    Cause("23", "invalid", "The number leads to another one", _Q850),
    Cause("26", "no_answer", "Another phone took the call: such a leg decides nothing", _Q850),
    Cause("27", "not_available", "The other end is out of order", _Q850),
    Cause("28", "invalid", "The number is incomplete or malformed", _Q850),
    Cause("29", "blocked", "The network refuses this kind of call", _Q850),
    Cause("31", "not_available", "Unspecified", _Q850, vague=True),
    Cause("34", "not_available", "All lines are in use", _Q850),
    Cause("38", "not_available", "The network is out of order", _Q850),
    Cause("41", "not_available", "Temporary failure", _Q850, vague=True),
    Cause("42", "not_available", "The network is congested", _Q850),
    Cause("44", "not_available", "The line is not available", _Q850),
    Cause("50", "blocked", "The service is not subscribed to", _Q850),
    Cause("52", "blocked", "Outgoing calls are barred", _Q850),
    Cause("54", "blocked", "Incoming calls are barred", _Q850),
    Cause("55", "blocked", "Incoming calls are barred in this group", _Q850),
    Cause("57", "blocked", "This kind of call is not allowed", _Q850),
    Cause("58", "not_available", "This kind of call is not possible now", _Q850),
    Cause("63", "not_available", "The service is not available", _Q850),
    Cause("65", "not_available", "This kind of call is not possible here", _Q850),
    Cause("79", "not_available", "The service is not possible here", _Q850),
    Cause("88", "not_available", "The two ends do not fit together", _Q850),
    Cause("102", "not_available", "A timer ran out", _Q850, "no_answer", vague=True),
    Cause(
        "127", "no_answer", "Unknown; what Asterisk's PJSIP says when the caller gives up",
        "Asterisk, res_pjsip.c", vague=True,
    ),
)  # fmt: skip

DIALSTATUS: Final = (
    Cause("ANSWER", "ended", "Answered; told at its end", _DIAL),
    Cause("BUSY", "busy", "Every phone was busy", _DIAL, vague=True),
    Cause("CANCEL", "no_answer", "The caller gave up", _DIAL),
    Cause("CHANUNAVAIL", "not_available", "No phone is registered, or the trunk is down", _DIAL, vague=True),
    Cause("CONGESTION", "not_available", "The network is congested", _DIAL, vague=True),
    Cause("DONTCALL", "blocked", "The called person sent the caller away", f"{_DIAL}, option P"),
    Cause("INVALIDARGS", "invalid", "The dialplan gave Dial nothing that can be called", _DIAL),
    Cause("NOANSWER", "no_answer", "Rang out", _DIAL, vague=True),
    Cause("TORTURE", "blocked", "The called person sent the caller away", f"{_DIAL}, option P"),
)


def codes_of(table: Sequence[Cause]) -> frozenset[str]:
    """Return the codes that a table has a row for."""
    return frozenset(cause.code for cause in table)


_SIP: Final = {cause.code: cause for cause in SIP}
_Q850_ROWS: Final = {cause.code: cause for cause in Q850}
_DIALSTATUS: Final = {cause.code: cause for cause in DIALSTATUS}


def status_of(
    sip: int | str | None = None,
    q850: int | str | None = None,
    dialstatus: str | None = None,
    *,
    incoming: bool = False,
    rang: bool = False,
) -> str:
    """Say how a call ended that nobody answered.

    A SIP code goes before a cause, because systems fold several codes into one cause; a cause before a
    DIALSTATUS word. A vague one gives way to a clear one of the others. A code without a row counts as if it
    had not come; where none is left, the call was ``not_available``.
    """
    found = cause_of(sip, q850, dialstatus)
    if found is None:
        return "not_available"
    status = (found.rang if rang else "") or (found.incoming if incoming else "") or found.status
    return "missed" if incoming and status == "no_answer" else status


def cause_of(
    sip: int | str | None = None, q850: int | str | None = None, dialstatus: str | None = None
) -> Cause | None:
    """Return the row that decides, or None where no code has one."""
    rows = [
        _SIP.get(str(sip)),
        _Q850_ROWS.get(str(q850)),
        _DIALSTATUS.get((dialstatus or "").upper()),
    ]
    known = [row for row in rows if row is not None]
    return next((row for row in known if not row.vague), known[0] if known else None)
