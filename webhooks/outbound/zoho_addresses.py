"""Zoho's addresses, by data centre; and which of those that Zoho names are its own. Pure.

The servers that are named in a redirect come through a browser, so that anybody could name any: the client
secret goes to Zoho's own hosts alone.

Source: https://www.zoho.com/accounts/protocol/oauth/multi-dc.html
"""

import re
from typing import Final
from urllib.parse import urlsplit

from webhooks.errors import Invalid
from webhooks.settings import Settings

DATA_CENTERS: Final[dict[str, str]] = {
    "us": "United States (zoho.com)",
    "eu": "Europe (zoho.eu)",
    "in": "India (zoho.in)",
    "au": "Australia (zoho.com.au)",
    "jp": "Japan (zoho.jp)",
    "cn": "China (zoho.com.cn)",
    "ca": "Canada (zohocloud.ca)",
    "sa": "Saudi Arabia (zoho.sa)",
    "uk": "United Kingdom (zoho.uk)",
}
_ACCOUNTS: Final = {
    "us": "https://accounts.zoho.com",
    "eu": "https://accounts.zoho.eu",
    "in": "https://accounts.zoho.in",
    "au": "https://accounts.zoho.com.au",
    "jp": "https://accounts.zoho.jp",
    "cn": "https://accounts.zoho.com.cn",
    "ca": "https://accounts.zohocloud.ca",
    "sa": "https://accounts.zoho.sa",
    "uk": "https://accounts.zoho.uk",
}
_ENDS: Final = r"(?:com|eu|in|com\.au|jp|com\.cn|ca|sa|ae|uk)"
_OWN_ACCOUNTS: Final = re.compile(rf"accounts\.(?:zoho\.{_ENDS}|zohocloud\.ca)")
_OWN_API: Final = re.compile(rf"(?:www\.)?zohoapis\.{_ENDS}")


def accounts_server(settings: Settings, data_center: str) -> str:
    """Return the address at which people of a data centre log in."""
    return settings.zoho_accounts or _ACCOUNTS[data_center]


def checked_accounts(settings: Settings, named: str) -> str:
    """Return the accounts server that a redirect names. Raises Invalid where it is none of Zoho's."""
    return _checked(named, _OWN_ACCOUNTS, settings.zoho_accounts, "accounts server")


def checked_api(settings: Settings, named: str) -> str:
    """Return the API's address that Zoho names. Raises Invalid where it is none of Zoho's."""
    return _checked(named, _OWN_API, settings.zoho_api, "API address")


def _checked(named: str, own: re.Pattern[str], set_: str | None, what: str) -> str:
    address = named.rstrip("/")
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if address == f"https://{parts.netloc}" and own.fullmatch(parts.netloc):
        return address
    if set_ is not None and _origin(address) == _origin(set_):
        return address
    raise Invalid(f"The {what} that came back is none of Zoho's: {address[:200]!r}. Nothing was sent to it.")


def _origin(address: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.scheme, parts.netloc
