"""Tries are counted for an address, and of IPv6 for the network of a household."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.services.login_throttle import source


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_counted_by_itself_in_either_form(address: ipaddress.IPv4Address) -> None:
    assert source(str(address)) == source(f"::ffff:{address}") == str(address)


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_ipv6_addresses_of_one_network_count_together(network: int, host: int, other_host: int) -> None:
    address, other = (ipaddress.IPv6Address(network << 64 | part) for part in (host, other_host))
    assert source(str(address)) == source(str(other))
    assert address in ipaddress.ip_network(source(str(address)))


@pytest.mark.parametrize("address", [None, "", "unknown", "1.2.3", "not an address"])
def test_what_is_no_address_counts_together(address: str | None) -> None:
    assert source(address) == "unknown"
