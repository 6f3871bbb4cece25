"""Zoho's answers in plain words, and what each means for a delivery. Pure.

Sources: the pages of https://www.zoho.com/phonebridge/developer/v3/, section "Error codes", and
https://www.zoho.com/accounts/protocol/oauth/web-apps/.
"""

from typing import Final

from webhooks.cleaning import clean
from webhooks.outbound.zoho_http import ZohoAnswer

_CODES: Final[dict[str, str]] = {
    "PROVIDER_NOT_REGISTERED": "Zoho does not know this client ID as a PhoneBridge provider. Ask Zoho to "
    "register it, or use the client ID that came with the registration.",
    "PBX_NOT_INTEGRATED": "PhoneBridge is not switched on for this account of Zoho. Press “Connect again”.",
    "REQUIRED_PARAM_MISSING": "Zoho misses something in the message.",
    "NO_PERMISSION": "Zoho does not let the user who logged in use PhoneBridge. Press “Connect again”, and "
    "have an administrator of Zoho log in.",
    "DIFFERENT_PROVIDER_ALREADY_ENABLED": "Another phone system is connected to PhoneBridge in this account. "
    "Disable it at Zoho first (Settings, Channels, Telephony), then press “Connect again”.",
    "INTERNAL_ERROR": "Zoho has an internal error.",
    "INVALID_TOKEN": "Zoho takes the access token for invalid.",
}
_GRANT_CODES: Final[dict[str, str]] = {
    "invalid_code": "Zoho takes the grant no longer: it was revoked at Zoho, or it is too old.",
    "invalid_client": "Zoho does not know the client ID in this data centre. See that the ID is right, and "
    "that the client is allowed in the data centre of the account (Zoho API console, Settings, Multi-DC).",
    "invalid_client_secret": "Zoho says that the client secret is wrong.",
    "invalid_redirect_uri": "Zoho knows the client with another redirect URI.",
    "access_denied": "The grant was refused at Zoho.",
}


def is_success(answer: ZohoAnswer) -> bool:
    """Whether Zoho did what it was asked for."""
    return 200 <= answer.status < 300 and answer.fields.get("status") == "success"


def code_of(answer: ZohoAnswer) -> str:
    """Zoho's code of an answer, "" where it gives none."""
    return clean(str(answer.fields.get("code") or ""))[:100]


def refusal(answer: ZohoAnswer) -> str:
    """A sentence about an answer that is no success."""
    code = code_of(answer)
    words = _CODES.get(code) or clean(str(answer.fields.get("message") or ""))[:300]
    sentence = words if not words or words.endswith(".") else f"{words}."
    if answer.status == 429:
        sentence = "Zoho asks for fewer messages at a time."
    elif answer.status < 400 and not code:  # a page, a redirect, nothing: from whoever stands in between
        sentence = "That is no answer of PhoneBridge."
    return f"Zoho answered {answer.status}{f' ({code})' if code else ''}. {sentence}".rstrip()


def grant_code(answer: ZohoAnswer) -> str:
    """The code of an answer of the accounts server that gives no token, "" where it has none."""
    return clean(str(answer.fields.get("error") or ""))[:100].strip().lower().replace(" ", "_")


def grant_refusal(code: str) -> str:
    """A sentence about such a code."""
    return _GRANT_CODES.get(code) or f"Zoho refused the grant ({code})."


def is_known_grant_code(code: str) -> bool:
    """Whether a person has to do something about it."""
    return code in _GRANT_CODES
