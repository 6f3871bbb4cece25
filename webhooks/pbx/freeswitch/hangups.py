"""Why a leg or a call of FreeSWITCH came to nothing, in our words: from its causes' names and the SIP code.

FreeSWITCH folds SIP codes into few causes: 401, 402, 403, 407, 603 and 608 are all CALL_REJECTED, 480 is
NO_USER_RESPONSE (sofia_glue.c, sofia_glue_sip_cause_to_freeswitch). So a SIP code goes first.
"""

from typing import Final

from webhooks.pbx.causes import status_of

UNANSWERED: Final = frozenset({
    "NORMAL_CLEARING", "ORIGINATOR_CANCEL", "NO_ANSWER", "NO_USER_RESPONSE", "ALLOTTED_TIMEOUT",
    "PROGRESS_TIMEOUT", "NO_PICKUP", "RECOVERY_ON_TIMER_EXPIRE", "NONE",
})  # fmt: skip
STATUSES: Final = {
    "USER_BUSY": "busy", "BUSY_EVERYWHERE": "busy",
    "CALL_REJECTED": "rejected", "DECLINE": "rejected", "REJECT_ALL": "rejected",
    "UNWANTED": "blocked", "INCOMING_CALL_BARRED": "blocked", "OUTGOING_CALL_BARRED": "blocked",
    "FACILITY_NOT_SUBSCRIBED": "blocked", "BEARERCAPABILITY_NOTAUTH": "blocked", "NO_IDENTITY": "blocked",
    "BAD_IDENTITY_INFO": "blocked", "INVALID_IDENTITY": "blocked", "STALE_DATE": "blocked",
    "UNALLOCATED_NUMBER": "invalid", "NO_ROUTE_TRANSIT_NET": "invalid", "NO_ROUTE_DESTINATION": "invalid",
    "NUMBER_CHANGED": "invalid", "INVALID_NUMBER_FORMAT": "invalid", "INVALID_URL": "invalid",
    "DOES_NOT_EXIST_ANYWHERE": "invalid",
}  # fmt: skip
# What else FreeSWITCH says (switch_types.h): a failure of the far side, of the network or of its own.
_FAILURES: Final = frozenset({
    "CHANNEL_UNACCEPTABLE", "CALL_AWARDED_DELIVERED", "SUBSCRIBER_ABSENT", "REDIRECTION_TO_NEW_DESTINATION",
    "EXCHANGE_ROUTING_ERROR", "DESTINATION_OUT_OF_ORDER", "FACILITY_REJECTED", "RESPONSE_TO_STATUS_ENQUIRY",
    "NORMAL_UNSPECIFIED", "NORMAL_CIRCUIT_CONGESTION", "NETWORK_OUT_OF_ORDER", "NORMAL_TEMPORARY_FAILURE",
    "SWITCH_CONGESTION", "ACCESS_INFO_DISCARDED", "REQUESTED_CHAN_UNAVAIL", "PRE_EMPTED",
    "BEARERCAPABILITY_NOTAVAIL", "SERVICE_UNAVAILABLE", "BEARERCAPABILITY_NOTIMPL", "CHAN_NOT_IMPLEMENTED",
    "FACILITY_NOT_IMPLEMENTED", "SERVICE_NOT_IMPLEMENTED", "INVALID_CALL_REFERENCE",
    "INCOMPATIBLE_DESTINATION", "INVALID_MSG_UNSPECIFIED", "MANDATORY_IE_MISSING", "MESSAGE_TYPE_NONEXIST",
    "WRONG_MESSAGE", "IE_NONEXIST", "INVALID_IE_CONTENTS", "WRONG_CALL_STATE", "MANDATORY_IE_LENGTH_ERROR",
    "PROTOCOL_ERROR", "INTERWORKING", "SUCCESS", "CRASH", "SYSTEM_SHUTDOWN", "MANAGER_REQUEST",
    "USER_CHALLENGE", "MEDIA_TIMEOUT", "USER_NOT_REGISTERED", "INVALID_GATEWAY", "GATEWAY_DOWN",
    "INVALID_PROFILE", "SRTP_READ_ERROR", "BOWOUT", "NOT_ACCEPTABLE", "UNSUPPORTED_CERTIFICATE",
})  # fmt: skip
# Another leg took the call, or this one was handed on: such a leg decides nothing (switch_ivr_originate.c).
WITHDRAWN: Final = frozenset({"LOSE_RACE", "PICKED_OFF", "BLIND_TRANSFER", "ATTENDED_TRANSFER"})
CAUSES: Final = UNANSWERED | STATUSES.keys() | _FAILURES | WITHDRAWN
_GIVEN_UP: Final = "ORIGINATOR_CANCEL"
_NO_REPLY: Final = frozenset({
    "NO_ANSWER", "NO_USER_RESPONSE", "ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT", "RECOVERY_ON_TIMER_EXPIRE",
})  # fmt: skip
_CANCELLED: Final = 487  # the echo of a CANCEL of FreeSWITCH itself


def sip_code_of(text: str) -> int | None:
    """Read ``486`` or ``sip:486``; None where it is no SIP code of a failure."""
    digits = text.removeprefix("sip:")
    is_code = digits.isascii() and digits.isdigit() and len(digits) == 3
    return int(digits) if is_code and int(digits) >= 300 else None


def was_given_up(cause: str, sip_code: int | None) -> bool:
    """Whether FreeSWITCH ended the leg itself, so that its codes are none that the far side gave."""
    return cause == _GIVEN_UP or sip_code == _CANCELLED


def of_leg(cause: str, sip_code: int | None, *, rang: bool) -> str:
    """The status of a leg that hung up and was not the one that took the call."""
    if cause == _GIVEN_UP:
        return "no_answer"
    if cause in _NO_REPLY and sip_code in (None, _CANCELLED):
        return "no_answer" if rang else "not_available"
    if sip_code is not None and sip_code >= 400 and sip_code != _CANCELLED:
        return status_of(sip=sip_code, rang=rang)
    return of_cause(cause)


def of_cause(cause: str) -> str:
    """The status that the name of a cause tells."""
    return "no_answer" if cause in UNANSWERED else STATUSES.get(cause, "not_available")
