"""Why a leg failed, in our words: from its DialEnd and its Hangup.

Seen on Asterisk 22.10 and 16.28: chan_pjsip's DialEnd says NOANSWER for 603, 403 and 404 too, so that the
cause goes first; the SIP code (TechCause) comes from 22 on, and is the far side's word on dialled legs alone.
"""

from typing import Final

from webhooks.pbx.asterisk.channels import Channel
from webhooks.pbx.causes import cause_of, status_of

# Which of the codes decide by themselves; what each means stands in ``pbx/causes.py``.
_SIP_CODES: Final = frozenset({401, 403, 407, 607, 608})  # causes hide them: 21 is a 603 too, 127 anything
_CAUSES: Final = frozenset({1, 2, 5, 22, 28, 29, 50, 52, 54, 55, 57})
_ABSENT: Final = frozenset({18, 19, 20, 102})  # SIP 408, 480, not registered, timer


def of_variable(dialstatus: str) -> str | None:
    """The status that the variable DIALSTATUS tells, where no leg was made. None: it tells nothing."""
    row = cause_of(dialstatus=dialstatus)
    return row.status if row is not None and row.code != "ANSWER" else None


def was_given_up(leg: Channel) -> bool:
    """Whether we ended the leg ourselves: the caller left, or the one called did not confirm ("press 1").

    Its cause is then none that anybody gave: chan_pjsip writes 127, with SIP code 500.
    """
    return leg.leg_outcome in ("CANCEL", "ANSWER", "")


def of_leg(leg: Channel, cause: int | None, sip_code: int | None, *, is_trunk: bool) -> str:
    """The status of a leg that hung up and was not the one that took the call."""
    if was_given_up(leg):
        return "no_answer"
    if sip_code in _SIP_CODES:
        return status_of(sip=sip_code)
    if cause == 21:
        return "rejected"
    if cause in _CAUSES or (cause == 3 and is_trunk):
        return status_of(q850=cause)
    if leg.leg_outcome == "NOANSWER" and cause in _ABSENT:
        return "no_answer" if leg.rang else "not_available"
    if cause == 17:
        return "busy"
    if cause in (3, 20):
        return "not_available"
    return status_of(dialstatus=leg.leg_outcome)
