"""The address of a client, as the limits of each address count it."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, TypeVar

from starlette.requests import Request

_MOST_ADDRESSES: Final = 10_000
_Name = TypeVar("_Name")


def address_of(request: Request) -> str:
    """Return the address of a request's client, or "" if the server does not know it."""
    return request.client.host if request.client else ""


@lru_cache(maxsize=1_024)
def network(address: str) -> str:
    """Return the address that a limit counts: IPv6 by /64 network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else parsed.exploded[:19]
    return address


def note(times: OrderedDict[_Name, float], name: _Name, time: float) -> None:
    """Set the time of an address, or of something at it. If there are too many, forget the oldest."""
    times[name] = time
    times.move_to_end(name)
    if len(times) > _MOST_ADDRESSES:
        times.popitem(last=False)
