"""Recorded calls of a real Asterisk, and the notices that Zoho PhoneBridge is to get of each, in order."""

from collections.abc import Mapping
from typing import Final

EXTENSIONS: Final = {"5010": "z10", "5011": "z11", "5012": "z12"}
IN, MOBILE, OTHER = "+12025550123", "+12025550188", "+12025550177"


def course(type_: str, from_: str, to: str, *states: str) -> list[str]:
    """A call's notices where its parties stay the same."""
    return [f"{type_} {state} {from_}>{to}" for state in states]


ANSWERED = course("received", IN, "5010 z10", "ringing", "answered", "ended")
MISSED = course("received", IN, "5010 z10", "ringing", "missed")
COURSES: Final = {
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


def described(form: Mapping[str, str]) -> str:
    """A notice as a line: type, state, parties, and the user where there is one."""
    words = [form["type"], form["state"], f"{form['from']}>{form['to']}", form.get("zohouser", "")]
    return " ".join(filter(None, words))
