"""SPOKE_PROXY: what its URL says, and what is asked of it."""

import ipaddress

import pytest

from webhooks.outbound.forward_proxy import Proxy, authority


@pytest.mark.parametrize(
    ("url", "host", "port", "credentials"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, None),
        ("http://proxy.example", "proxy.example", 80, None),
        ("http://[fd00::1]:3128/", "fd00::1", 3128, None),
        ("http://user:word@proxy.example:8080", "proxy.example", 8080, "Basic dXNlcjp3b3Jk"),
        ("http://user@proxy.example", "proxy.example", 80, "Basic dXNlcjo="),
        ("http://us%40er:w%3Aord@proxy.example", "proxy.example", 80, "Basic dXNAZXI6dzpvcmQ="),
    ],
)
def test_a_proxys_url_gives_its_address_and_its_credentials(
    url: str, host: str, port: int, credentials: str | None
) -> None:
    proxy = Proxy.of(url)
    assert proxy is not None and (proxy.host, proxy.port) == (host, port)
    assert proxy.headers == ({"Proxy-Authorization": credentials} if credentials else {})


def test_without_a_setting_there_is_no_proxy() -> None:
    assert Proxy.of(None) is None


def test_credentials_are_not_in_what_a_log_may_show() -> None:
    assert "dXNlcjp3b3Jk" not in repr(Proxy.of("http://user:word@proxy.example"))


@pytest.mark.parametrize(("address", "written"), [("10.0.0.1", "10.0.0.1:443"), ("fd00::1", "[fd00::1]:443")])
def test_it_is_asked_for_an_address_and_a_port(address: str, written: str) -> None:
    assert authority(ipaddress.ip_address(address), 443) == written
