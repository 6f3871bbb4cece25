"""Address rules: which addresses may be called, a guard against SSRF. Pure: names are not looked up."""

import ipaddress
import re
import socket
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from webhooks.cleaning import fit
from webhooks.errors import Invalid, TargetRefused
from webhooks.settings import Network, Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

REFUSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "100.100.100.200/32", "::/128", "::1/128", "fe80::/10", "fec0::/10", "ff00::/8",
        "fd00:ec2::/32",
    )
)  # fmt: skip
# IPv4 in the last 32 bits: mapped, compatible, translated (RFC 2765), NAT64 (RFC 6052) and RFC 8215.
_EMBEDDING: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP: Final = 0x00005EFE  # the interface identifier's upper half (RFC 5214, section 6.1) …
_ISATAP_MASK: Final = 0xFCFFFFFF  # … whatever its universal and group bits are


def literal(host: str) -> Address | None:
    """The address that ``host`` spells, in any spelling a C library takes; None for a name.

    Decimal, octal, hex and short forms, full-width digits and dots (RFC 3490, section 3.1), a trailing dot.
    """
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".").strip("[]")
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(plain))
    except (OSError, UnicodeEncodeError):
        return None


def check_url(url: str) -> str:
    """The host of a receiver's URL.

    Raises:
        Invalid: not http(s), no host, a user name or password in it, a bad port, white space.
    """
    if any(character.isspace() for character in url) or not fit(url):
        raise Invalid("The URL has white space or control characters in it.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"The URL cannot be read: {error}.") from None
    if parts.scheme not in ("http", "https"):
        raise Invalid("The URL has to start with http:// or https://.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise Invalid("The URL must not hold a user name or password; use a header of the webhook's instead.")
    if not parts.hostname:
        raise Invalid("The URL has no host.")
    if "\\" in url or "%" in parts.netloc:
        raise Invalid("The URL's host is not a plain name or address.")
    if port == 0:
        raise Invalid("The URL's port 0 cannot be called.")
    return parts.hostname


_INBOX_PATH: Final = re.compile(r"/inbox/[A-Za-z0-9_-]{16,32}")


def own_inbox(settings: Settings, url: str) -> str | None:
    """The path of the test inbox that the URL names, at any of the appliance's own addresses; else None."""
    for base in (settings.base_url, settings.own_url):
        if url.startswith(base) and (path := _INBOX_PATH.fullmatch(url, len(base))):
            return path[0]
    return None


class AddressRules:
    """The networks of ``REFUSED``; SPOKE_DENY_NETS adds to them, SPOKE_ALLOW_NETS overrides both."""

    def __init__(self, allow: tuple[Network, ...] = (), deny: tuple[Network, ...] = ()) -> None:
        self._allow, self._deny = allow, deny

    def check(self, address: Address) -> None:
        """Check an address, and each IPv4 address inside it.

        Raises:
            TargetRefused: it must not be called; names the setting that decides.
        """
        for part in (address, *embedded(address)):
            if any(part in network for network in self._allow):
                continue
            for network in REFUSED:
                if part in network:
                    raise TargetRefused(
                        f"The address {address} is refused: no receiver has an address in {network}. "
                        "To allow it, add it to SPOKE_ALLOW_NETS."
                    )
            for network in self._deny:
                if part in network:
                    raise TargetRefused(
                        f"The address {address} is refused: SPOKE_DENY_NETS has {network} in it."
                    )

    def check_host(self, host: str) -> None:
        """Check a host that spells an address. A name passes: its addresses are checked when it is called."""
        address = literal(host)
        if address is not None:
            self.check(address)


def embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses inside an IPv6 one."""
    number = int(address)
    if isinstance(address, ipaddress.IPv4Address) or number <= 1:  # :: and ::1 are themselves
        return []
    parts = [part for part in (address.sixtofour, *(address.teredo or ())) if part is not None]
    isatap = (number >> 32) & _ISATAP_MASK == _ISATAP
    if isatap or any(address in network for network in _EMBEDDING):
        parts.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    if address in _LOCAL_NAT64:
        # With a shorter prefix it stands further to the front, around a zero byte (RFC 6052, section 2.2).
        octets = address.packed
        inside = {bytes((*octets[start:8], *octets[9 : start + 5])) for start in (6, 7, 8) if not octets[8]}
        shorter = [part for part in inside if part[0]]
        parts = [part for part in parts if int(part) or not shorter]
        parts += map(ipaddress.IPv4Address, shorter)
    return parts
