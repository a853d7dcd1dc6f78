"""The rules for addresses to connect to: public ones over TLS, this machine if it is named, and allowed networks.

URLs come from operators, from people who can edit a team's metadata, and from DNS servers. None of them may make a
worker connect to a cloud's metadata service or to another private host.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC: Final = "the address is not public; if it is yours, add it to allowed_networks or allowed_hosts"
_ODD: Final = "the address is an IPv4 address in an unusual form; write it as four numbers with dots"
_NO_TLS: Final = "the address must begin with https://"
#: RFC 6052: IPv4 addresses for the gateway of an IPv6-only network.
_NAT64: Final = ip_network("64:ff9b::/96")
#: Networks that some Python releases call global and that no receiver has.
_UNUSED: Final = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments, RFC 6890
            "192.88.99.0/24",  # anycast of 6to4 relays, deprecated, RFC 7526
            "::/96",  # IPv4-compatible, deprecated, RFC 4291
            "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
            "64:ff9b:1::/48",  # translation for local use, RFC 8215
            "3fff::/20",  # documentation, RFC 9637
            "5f00::/16",  # segment identifiers, RFC 9602
            "fec0::/10",  # site-local, deprecated, RFC 3879
        ),
    )
)
#: RFC 1918, 6598 and 4193: private addresses that an allowed host may have. Loopback and link-local are not among them.
_PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
#: Metadata services of clouds within these networks: Alibaba's, AWS's and Google's.
_METADATA: Final = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254")))


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """Private networks that may be connected to, and names of hosts whose private addresses may be.

    "*.corp.example" names every host below corp.example.
    """

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """Return whether a host is allowed by its name."""
        host = host.lower().rstrip(".")
        return any(host == name or (name[:2] == "*." and host.endswith(name[1:])) for name in self.hosts)


def refusal(host: str, *, tls: bool, allowed: AllowedAddresses) -> str | None:
    """Return why nothing may be sent to this host; ``None`` if it is allowed or its name must be looked up first."""
    literal = _literal(host)
    if literal is None and _is_odd(host):
        return _ODD
    if literal is None:
        return None if tls or host == "localhost" or allowed.networks or allowed.allows(host) else _NO_TLS
    return _refusal(literal, tls=tls, allowed=allowed, loopback=literal.is_loopback)


def admits(host: str, address: str, *, tls: bool, allowed: AllowedAddresses) -> bool:
    """Return whether a connection for this host may go to an address that its name was just resolved to."""
    found = _embedded(ip_address(address.partition("%")[0]))
    if allowed.allows(host) and found not in _METADATA and _within(found, _PRIVATE):
        return True
    return _refusal(found, tls=tls, allowed=allowed, loopback=is_loopback(host)) is None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or address, without a lookup."""
    literal = _literal(host)
    return host == "localhost" if literal is None else literal.is_loopback


def _refusal(address: Address, *, tls: bool, allowed: AllowedAddresses, loopback: bool) -> str | None:
    if _within(address, allowed.networks):
        return None
    if address.is_loopback and loopback:
        return None
    if not address.is_global or address.is_multicast or _within(address, _UNUSED):
        return NOT_PUBLIC
    return None if tls else _NO_TLS


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _is_odd(host: str) -> bool:
    """Return whether the C library reads a host as an IPv4 address of an unusual form, for example 127.1 or 0x7f.1."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _literal(host: str) -> Address | None:
    try:
        return _embedded(ip_address(host.strip("[]")))
    except ValueError:
        return None


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address wraps, because a connection ends there."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
