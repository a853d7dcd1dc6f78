"""The host part of a PostgreSQL address: several hosts, or the folder of a Unix socket, as libpq takes them.

SQLAlchemy reads one host there, so these move into the query, from where SQLAlchemy hands them to libpq.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+|%2[Ff][\w.%-]*)(?::(?P<port>[0-9]{1,5}))?")


def with_hosts_in_query(address: str) -> str:
    """Return an address with its hosts in the query, if they are several or a folder; else the address unchanged.

    An address that is not valid stays unchanged, too.

    >>> with_hosts_in_query("postgresql://user@one,two:5433/alerts")
    'postgresql://user@/alerts?host=one,two&port=,5433'
    >>> with_hosts_in_query("postgresql://%2Frun%2Fpostgresql/alerts")
    'postgresql:///alerts?host=/run/postgresql'
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    user, at, hosts = parts.netloc.rpartition("@")
    places = [_PLACE.fullmatch(host) for host in hosts.split(",")]
    found = [(unquote(place["host"]).strip("[]"), place["port"] or "") for place in places if place is not None]
    is_special = len(places) > 1 or any(host.startswith("/") for host, _ in found)
    if (
        not is_special
        or parts.fragment
        or len(found) < len(places)
        or "@" in user
        or re.search(r"(?:^|&)(?:host|port)=", parts.query)
    ):
        return address
    moved = f"host={','.join(quote(host, safe='/:') for host, _ in found)}"
    if any(port for _, port in found):
        moved += f"&port={','.join(port for _, port in found)}"
    query = f"{moved}&{parts.query}" if parts.query else moved
    return f"{parts.scheme}://{user}{at}{parts.path}?{query}"
