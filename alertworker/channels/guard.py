"""Which addresses we connect to: public ones over TLS, this machine where it is named, and networks that are allowed.

An operator types addresses, and so may whoever can edit a team's metadata or answer its DNS queries: none of them may
make a worker speak to a cloud's metadata service or to a neighbour.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC: Final = "the address is not a public one; name its network in allowed_networks if it is yours"
_NO_TLS: Final = "the address must begin with https://"
#: RFC 6052: IPv4 addresses as an IPv6-only network's gateway takes them.
_NAT64: Final = ip_network("64:ff9b::/96")


def refusal(host: str, *, tls: bool, allowed: tuple[Network, ...]) -> str | None:
    """Say why nothing may be sent to this host as it is written; ``None`` where it may, or its name must tell first."""
    literal = _literal(host)
    if literal is None:
        return None if tls or host == "localhost" or allowed else _NO_TLS
    return _refusal(literal, tls=tls, allowed=allowed, loopback=literal.is_loopback)


def admits(host: str, address: str, *, tls: bool, allowed: tuple[Network, ...]) -> bool:
    """Tell whether a connection for this host may go to the address that its name gave just now."""
    found = _embedded(ip_address(address.partition("%")[0]))
    return _refusal(found, tls=tls, allowed=allowed, loopback=is_loopback(host)) is None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine as it is written, by name or address."""
    literal = _literal(host)
    return host == "localhost" if literal is None else literal.is_loopback


def _refusal(address: Address, *, tls: bool, allowed: tuple[Network, ...], loopback: bool) -> str | None:
    if any(address.version == network.version and address in network for network in allowed):
        return None
    if address.is_loopback and loopback:
        return None
    if not address.is_global or address.is_multicast:
        return NOT_PUBLIC
    return None if tls else _NO_TLS


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
