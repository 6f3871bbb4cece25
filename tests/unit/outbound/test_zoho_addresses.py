"""Which addresses count as Zoho's: the client secret goes to no other."""

import pytest

from webhooks.errors import Invalid
from webhooks.outbound.zoho_addresses import DATA_CENTERS, accounts_server, checked_accounts, checked_api
from webhooks.settings import Settings

PLAIN = Settings(_env_file=None)  # type: ignore[call-arg]
OWN = Settings(_env_file=None, zoho_accounts="http://127.0.0.1:9999/us", zoho_api="http://127.0.0.1:9998")  # type: ignore[call-arg]


@pytest.mark.parametrize("data_center", DATA_CENTERS)
def test_each_data_centres_own_server_is_taken(data_center: str) -> None:
    address = accounts_server(PLAIN, data_center)
    assert checked_accounts(PLAIN, f"{address}/") == address


@pytest.mark.parametrize(
    "address", ["https://www.zohoapis.com", "https://www.zohoapis.com.au", "https://www.zohoapis.ca"]
)
def test_zohos_apis_are_taken(address: str) -> None:
    assert checked_api(PLAIN, address) == address


@pytest.mark.parametrize(
    "address",
    [
        "http://accounts.zoho.com", "https://accounts.zoho.com.evil.example", "https://evil.example/accounts.zoho.com",
        "https://accounts.zoho.com@evil.example", "https://accounts.zoho.com:8443", "https://accounts.zoho.com?x",
        "https://accounts.zoho.com#x", "https://accounts.zoho.com/evil", "https://accountsxzoho.com",
        "https://169.254.169.254", "http://127.0.0.1:9999", "https://zoho.com", "https://[", "",
        "javascript:alert(1)", "https://accounts.zoho.com\\@evil.example", "https://accounts.zoho.com\n.evil.example",
        "https://www.zohoapis.com",
    ],
)  # fmt: skip
def test_nobody_elses_server_is_taken_for_zohos(address: str) -> None:
    with pytest.raises(Invalid, match="none of Zoho's"):
        checked_accounts(PLAIN, address)
    with pytest.raises(Invalid, match="none of Zoho's"):
        checked_api(PLAIN, address.replace("www.zohoapis", "accounts.zoho"))


def test_a_setting_adds_its_own_origin_and_no_other() -> None:
    assert accounts_server(OWN, "eu") == "http://127.0.0.1:9999/us"
    assert checked_accounts(OWN, "http://127.0.0.1:9999/eu") == "http://127.0.0.1:9999/eu"
    assert checked_api(OWN, "http://127.0.0.1:9998/api") == "http://127.0.0.1:9998/api"
    for other in ("http://127.0.0.1:9998", "https://127.0.0.1:9999", "http://127.0.0.1:99990"):
        with pytest.raises(Invalid):
            checked_accounts(OWN, other)
