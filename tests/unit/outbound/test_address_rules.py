"""Which addresses may be called: every spelling and embedding, and the very address that is connected to."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.errors import Invalid, SpokeError, TargetRefused
from webhooks.outbound import connector as connector_module
from webhooks.outbound.address_rules import REFUSED as REFUSED_NETWORKS
from webhooks.outbound.address_rules import Address, AddressRules, check_url, literal, own_inbox
from webhooks.outbound.connector import Connector
from webhooks.outbound.deadline import Deadline
from webhooks.outbound.resolver import Resolver
from webhooks.settings import Settings

REFUSED = [
    # this host, loopback, link-local, protocol assignments, multicast, reserved
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.0.1", "192.0.0.1",
    "192.0.0.170", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100.100.100.200",
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[febf::1]", "[ff02::1]", "[fd00:ec2::254]",
    "[fec0::1]", "[feff:ffff::1]",
    # IPv6 that embeds one of them: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP
    "[::ffff:0:127.0.0.1]", "[::ffff:0:a9fe:a9fe]", "[2001:db8::5efe:127.0.0.1]", "[fd12::200:5efe:7f00:1]",
    "[2001:db8:1:2:100:5efe:a9fe:a9fe]", "[fd12::300:5efe:169.254.169.254]",
    "[64:ff9b:1:7f00:0:100::]", "[64:ff9b:1:7f:0:1::]", "[64:ff9b:1:0:7f:0:100:0]",
    "[64:ff9b:1:2:3:4:7f00:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[::7f00:1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::]", "[2001:0:5ef5:79fd:0:0:80ff:fffe]",
    # other spellings of 127.0.0.1, 0.0.0.0 and 169.254.169.254
    "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0", "0x0",
    "00000177.0.0.1", "0x7F.1", "127.0.0.1.", "2852039166", "0xa9fea9fe", "169.16689662", "0251.254.169.254",
    "１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①", "0x7f000001.", "[::1%25lo]",
]  # fmt: skip
MALFORMED = [
    "http://user@receiver.example/", "http://user:word@receiver.example/", "http://@127.0.0.1/",
    "http://receiver.example@127.0.0.1/", "http://receiver.example#@127.0.0.1/x y", "ftp://receiver.example/",
    "file:///etc/passwd", "gopher://127.0.0.1/", "//receiver.example/", "receiver.example", "http://", "http:///x",
    "http://receiver.example:0/", "http://receiver.example:99999/", "http://receiver.example:x/",
    "http://rec eiver.example/", "http://receiver.example/\r\nX: y", "http://127.0.0.1\\@receiver.example/",
    "http://receiver%2eexample/", "javascript:alert(1)", "http://receiver.example/\u202egnp",
    "http://receiver.example/\x7f", "http://receiver.example/\x9b", "http://[::1/", "http://[fe80::1%25eth0]/",
]  # fmt: skip
ALLOWED = [
    "10.0.0.1", "172.16.0.1", "192.168.1.20", "100.64.0.1", "8.8.8.8", "192.0.2.1", "198.18.0.1", "192.0.1.1",
    "[fd12:3456::1]", "[2001:db8::1]", "[2606:4700::1111]", "[::ffff:10.0.0.1]", "[64:ff9b::8.8.8.8]",
    "[::ffff:0:10.0.0.1]", "[::ffff:0:8.8.8.8]", "[fd12::5efe:10.0.0.1]", "[2001:db8::200:5efe:8.8.8.8]",
    "[2001:db8::5eff:7f00:1]", "[64:ff9b:1::8.8.8.8]", "[64:ff9b:1:a00:0:100::]", "[fe00::1]",
    "[fd00:ec3::1]",
    "3232235786", "receiver.example", "crm.local", "localhost", "xn--bcher-kva.example", "bücher.example",
]  # fmt: skip


def check(url: str, rules: AddressRules) -> None:
    rules.check_host(check_url(url))


@pytest.mark.parametrize("host", REFUSED)
def test_the_form_refuses_an_address_in_any_spelling(host: str) -> None:
    with pytest.raises(SpokeError):
        check(f"http://{host}/hook", AddressRules())


@pytest.mark.parametrize("url", MALFORMED)
def test_the_form_refuses_what_is_no_plain_url(url: str) -> None:
    with pytest.raises(Invalid):
        check(url, AddressRules())


@pytest.mark.parametrize("host", ALLOWED)
def test_private_and_public_addresses_and_names_may_be_set(host: str) -> None:
    check(f"http://{host}/hook", AddressRules())


def test_the_settings_add_and_override() -> None:
    def network(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return (ipaddress.ip_network(text),)

    with pytest.raises(TargetRefused, match="SPOKE_DENY_NETS"):
        check("http://10.1.2.3/", AddressRules(deny=network("10.0.0.0/8")))
    with pytest.raises(TargetRefused, match="SPOKE_ALLOW_NETS"):
        check("http://127.0.0.1/", AddressRules())
    both = AddressRules(allow=network("10.1.0.0/16"), deny=network("10.0.0.0/8"))
    check("http://10.1.2.3/", both)
    with pytest.raises(TargetRefused):
        check("http://[::ffff:10.2.2.3]/", both)
    check("http://[::ffff:127.0.0.1]/", AddressRules(allow=network("127.0.0.0/8")))


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("::ffff:a01:203", "10.1.2.3/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"), ("::ffff:10.1.2.3/104", "10.0.0.0/8"), ("fd00::/8", "fd00::/8"),
        ("::ffff:0:0/95", "::fffe:0:0/95"), ("10.1.2.3/8", "10.0.0.0/8"),
    ],
)  # fmt: skip
def test_a_mapped_network_in_a_setting_is_the_ipv4_one(written: str, means: str) -> None:
    settings = Settings(allow_nets=written, deny_nets=f"192.0.2.1, {written}", trusted_proxies=written)  # type: ignore[arg-type]
    network = ipaddress.ip_network(means)
    assert settings.allow_nets == settings.trusted_proxies == (network,)
    assert settings.deny_nets == (ipaddress.ip_network("192.0.2.1/32"), network)


def test_denied_networks_hold_for_every_spelling_and_embedding() -> None:
    settings = Settings(deny_nets="::ffff:10.0.0.0/104")  # type: ignore[arg-type]
    rules = AddressRules(deny=settings.deny_nets)
    for host in ("10.1.2.3", "[::ffff:10.1.2.3]", "167838211", "[::ffff:0:10.1.2.3]", "[64:ff9b::10.1.2.3]",
                 "[2002:a01:203::]", "[fd12::5efe:10.1.2.3]"):  # fmt: skip
        with pytest.raises(TargetRefused, match="SPOKE_DENY_NETS"):
            check(f"http://{host}/", rules)
    check("http://11.1.2.3/", rules)


V4 = st.builds(ipaddress.IPv4Address, st.integers(0, 2**32 - 1))
FULL_WIDTH = {ord("0") + digit: ord("０") + digit for digit in range(10)}
EMBEDDINGS = {
    "mapped": lambda number: (0xFFFF << 32) | number,
    "translated": lambda number: (0xFFFF << 48) | number,
    "NAT64": lambda number: (0x64FF9B << 96) | number,
    "6to4": lambda number: (0x2002 << 112) | (number << 80) | 1,
    "Teredo": lambda number: (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
    "ISATAP": lambda number: (0x20010DB8 << 96) | (0x5EFE << 32) | number,
}


def refused(address: Address) -> bool:
    try:
        AddressRules().check(address)
    except TargetRefused:
        return True
    return False


@given(address=V4)
def test_each_spelling_of_an_address_is_that_address(address: ipaddress.IPv4Address) -> None:
    number, octets = int(address), address.packed
    for spelling in (
        str(address), f"{address}.", str(number), hex(number), f"0{number:o}",
        ".".join(map(hex, octets)), ".".join(f"0{octet:o}" for octet in octets),
        f"{octets[0]}.{number & 0xFFFFFF}", f"{octets[0]}.{octets[1]}.{number & 0xFFFF}",
        str(address).replace(".", "。"), str(address).translate(FULL_WIDTH),
    ):  # fmt: skip
        assert literal(spelling) == address, spelling


@given(address=V4)
def test_an_ipv4_address_is_refused_just_where_a_network_of_the_list_has_it(
    address: ipaddress.IPv4Address,
) -> None:
    assert refused(address) == any(address in network for network in REFUSED_NETWORKS)


@pytest.mark.parametrize("kind", EMBEDDINGS)
@given(address=V4.filter(lambda address: int(address) > 1))
def test_what_is_refused_is_refused_inside_an_ipv6_address(kind: str, address: ipaddress.IPv4Address) -> None:
    outer = ipaddress.IPv6Address(EMBEDDINGS[kind](int(address)))
    assert refused(outer) or not refused(address), outer


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://spoke.example/inbox/0123456789abcdef", "/inbox/0123456789abcdef"),
        ("http://127.0.0.1:8080/inbox/0123456789abcdef", "/inbox/0123456789abcdef"),
        ("http://spoke.example/inbox/short", None),
        ("http://spoke.example/inbox/0123456789abcdef/x", None),
        ("http://spoke.example/healthz", None),
        ("http://other.example/inbox/0123456789abcdef", None),
        ("/inbox/0123456789abcdef", None),
    ],
)
def test_only_a_test_inbox_of_ours_goes_past_the_rules(url: str, path: str | None) -> None:
    assert own_inbox(Settings(public_url="http://spoke.example", port=8080), url) == path


def test_a_name_that_changes_its_address_between_two_looks_is_checked_by_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: whatever a first look-up says, the address connected to is the one that was checked."""

    class Changing(Resolver):
        look_ups = 0

        def addresses(self, host: str, wait_s: float) -> list[Address]:
            self.look_ups += 1
            return [ipaddress.ip_address("10.255.255.1" if self.look_ups == 1 else "127.0.0.1")]

    resolver = Changing()
    connector = Connector(AddressRules(), resolver=resolver)
    connected: list[str] = []

    def note(address: Address, port: int, wait_s: float) -> socket.socket:
        connected.append(str(address))
        raise ConnectionRefusedError

    monkeypatch.setattr(connector_module, "_opened", note)
    with pytest.raises(ConnectionRefusedError):
        connector.connect("rebinding.example", 80, Deadline(1), tunnel=False)
    with pytest.raises(TargetRefused):
        connector.connect("rebinding.example", 80, Deadline(1), tunnel=False)
    assert connected == ["10.255.255.1"]
