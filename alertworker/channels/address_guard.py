"""Which addresses we connect to: public ones over TLS, this machine where it is named, and networks that are allowed.

An operator types addresses, and so may whoever can edit a team's metadata or answer its DNS queries: none of them may
make a worker speak to a cloud's metadata service or to a neighbour.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC: Final = "the address is not a public one; if it is yours, name it in allowed_networks or allowed_hosts"
_ODD: Final = "the address is an IPv4 address in another form; write it as four numbers with dots"
_NO_TLS: Final = "the address must begin with https://"
#: RFC 6052: IPv4 addresses as an IPv6-only network's gateway takes them.
_NAT64: Final = ip_network("64:ff9b::/96")
#: What Python calls global and no receiver has: IPv4-compatible and site-local addresses, both long given up (RFC 4291,
#: 2.5.5.1; RFC 3879), and those that a network's gateway gives a meaning of its own (RFC 8215).
_NOBODYS: Final = tuple(map(ip_network, ("::/96", "fec0::/10", "64:ff9b:1::/48")))
#: RFC 1918, 6598 and 4193: what a host of ours may have. This machine and its link are not among them.
_PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
#: Clouds' metadata services within these: Alibaba's, AWS's and Google's.
_METADATA: Final = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254")))


@dataclass(frozen=True, slots=True)
class Allowed:
    """What of our own may be sent to: networks, and hosts by their names, whose private addresses may be.

    "*.corp.example" names every host below corp.example.
    """

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()

    def knows(self, host: str) -> bool:
        """Tell whether a host is one of those that are named."""
        host = host.lower().rstrip(".")
        return any(host == name or (name[:2] == "*." and host.endswith(name[1:])) for name in self.hosts)


def refusal(host: str, *, tls: bool, allowed: Allowed) -> str | None:
    """Say why nothing may be sent to this host as it is written; ``None`` where it may, or its name must tell first."""
    literal = _literal(host)
    if literal is None and _is_odd(host):
        return _ODD
    if literal is None:
        return None if tls or host == "localhost" or allowed.networks or allowed.knows(host) else _NO_TLS
    return _refusal(literal, tls=tls, allowed=allowed, loopback=literal.is_loopback)


def admits(host: str, address: str, *, tls: bool, allowed: Allowed) -> bool:
    """Tell whether a connection for this host may go to the address that its name gave just now."""
    found = _embedded(ip_address(address.partition("%")[0]))
    if allowed.knows(host) and found not in _METADATA and _within(found, _PRIVATE):
        return True
    return _refusal(found, tls=tls, allowed=allowed, loopback=is_loopback(host)) is None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine as it is written, by name or address."""
    literal = _literal(host)
    return host == "localhost" if literal is None else literal.is_loopback


def _refusal(address: Address, *, tls: bool, allowed: Allowed, loopback: bool) -> str | None:
    if _within(address, allowed.networks):
        return None
    if address.is_loopback and loopback:
        return None
    if not address.is_global or address.is_multicast or _within(address, _NOBODYS):
        return NOT_PUBLIC
    return None if tls else _NO_TLS


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _is_odd(host: str) -> bool:
    """Tell whether a host is what the C library takes for an IPv4 address besides the usual form: 127.1, 0x7f.1."""
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
    """Give the IPv4 address that an IPv6 address only wraps; such a connection ends there."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
