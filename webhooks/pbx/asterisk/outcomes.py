"""Why a leg failed, in our words: from its DialEnd and its Hangup.

Seen on Asterisk 22.10 and 16.28: chan_pjsip's DialEnd says NOANSWER for 603, 403 and 404 too, so that the
cause goes first; the SIP code (TechCause) comes from 22 on, and is the far side's word on dialled legs alone.
"""

from typing import Final

from webhooks.pbx.asterisk.channels import Channel

_DIALSTATUS: Final = {
    "BUSY": "busy",
    "CHANUNAVAIL": "not_available",
    "CONGESTION": "not_available",
    "NOANSWER": "no_answer",
    "CANCEL": "no_answer",
    "INVALIDARGS": "invalid",
    "DONTCALL": "blocked",  # privacy: "send this caller away"
    "TORTURE": "blocked",
}
_INVALID: Final = frozenset({1, 2, 5, 22, 28})  # unassigned, no route, misdialled, changed, incomplete
_BLOCKED: Final = frozenset({29, 50, 52, 54, 55, 57})  # not subscribed to, barred, not authorised
_ABSENT: Final = frozenset({18, 19, 20, 102})  # SIP 408, 480, not registered, timer
_BY_SIP_CODE: Final = {  # what the cause hides: 21 is a 603, too, and 127 almost anything
    401: "not_available",  # the trunk's password is wrong: nobody's decision
    403: "blocked",
    407: "not_available",
    607: "blocked",  # RFC 8197, unwanted
    608: "blocked",  # RFC 8688, rejected by a machine
}


def of_variable(dialstatus: str) -> str | None:
    """The status that the variable DIALSTATUS tells, where no leg was made. None: it tells nothing."""
    return _DIALSTATUS.get(dialstatus)


def was_given_up(leg: Channel) -> bool:
    """Whether we ended the leg ourselves: the caller left, or the one called did not confirm ("press 1").

    Its cause is then none that anybody gave: chan_pjsip writes 127, with SIP code 500.
    """
    return leg.leg_outcome in ("CANCEL", "ANSWER", "")


def of_leg(leg: Channel, cause: int | None, sip_code: int | None, *, is_trunk: bool) -> str:
    """The status of a leg that hung up and was not the one that took the call."""
    if was_given_up(leg):
        return "no_answer"
    if sip_code in _BY_SIP_CODE:
        return _BY_SIP_CODE[sip_code]
    if cause == 21:
        return "rejected"
    if cause in _INVALID or (cause == 3 and is_trunk):
        return "invalid"
    if cause in _BLOCKED:
        return "blocked"
    if leg.leg_outcome == "NOANSWER" and cause in _ABSENT:
        return "no_answer" if leg.rang else "not_available"
    if cause == 17:
        return "busy"
    if cause in (3, 20):
        return "not_available"
    return _DIALSTATUS.get(leg.leg_outcome, "not_available")
