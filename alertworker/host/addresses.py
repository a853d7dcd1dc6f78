"""Addresses of brokers and databases: what is wrong with one, told without any part of its password."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

BROKER_SCHEMES: Final = ("redis", "rediss", "redis+socket", "amqp", "amqps", "pyamqp")
DATABASE_SCHEMES: Final = ("postgresql", "postgresql+psycopg", "postgres", "sqlite")
#: Schemes whose address is a path on this host, and has no password.
_PATHS: Final = frozenset({"redis+socket", "sqlite"})
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,31}")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_SQLITE: Final = re.compile(r"(?:/.*)?")
_ENCODE: Final = "percent-encode each of # / ? [ ] @ % in the user name and the password (# is %23, / is %2F)"


def address_problem(address: str, schemes: tuple[str, ...]) -> str | None:
    """Return why an address cannot be used, with the remedy; ``None`` if it can. Several are separated by ``;``.

    >>> address_problem("http://:secret@host", BROKER_SCHEMES)
    "the scheme 'http' is not supported; expected one of redis, rediss, redis+socket, amqp, amqps, pyamqp"
    """
    for one in address.split(";") if "sqlite" not in schemes else [address]:
        if (problem := _problem(one, schemes)) is not None:
            return problem
    return None


def host_of(address: str) -> str:
    """Return the host that an address names, as far as it can be told from the password."""
    behind = address.rpartition("@")[2] if "@" in address else address.partition("://")[2]
    found = _HOST.match(behind)
    return found[0] if found else "an unknown host"


def _problem(address: str, schemes: tuple[str, ...]) -> str | None:
    scheme, separator, rest = address.strip().partition("://")
    if not separator:
        return f"not an address; expected, for example, {schemes[0]}://USER:PASSWORD@HOST"
    if scheme not in schemes:
        shown = f" {scheme!r}" if _SCHEME.fullmatch(scheme) else ""
        return f"the scheme{shown} is not supported; expected one of {', '.join(schemes)}"
    if scheme == "sqlite" and not _SQLITE.fullmatch(rest):
        return "an SQLite address names a file; expected, for example, sqlite:////var/lib/alertworker/alerts.db"
    if not rest and scheme != "sqlite":
        return f"the address names no host; expected, for example, {scheme}://HOST"
    return None if scheme in _PATHS else _problem_of_parts(address.strip(), scheme)


def _problem_of_parts(address: str, scheme: str) -> str | None:
    try:
        parts = urlsplit(address)
        torn = _is_torn(parts) or parts.port == 0 or parts.netloc.endswith(":")
        # SQLAlchemy ends the password at the first of them, kombu at the last.
        torn = torn or (scheme in DATABASE_SCHEMES and parts.netloc.count("@") > 1)
    except ValueError:
        torn = True
    if torn:
        return f"the address cannot be parsed; {_ENCODE}"
    if scheme in ("redis", "rediss") and not re.fullmatch(r"/?\d*", parts.path):
        return "the path must be the number of a Redis database, as in redis://HOST:6379/0"
    return None


def _is_torn(parts: SplitResult) -> bool:
    """Return whether a reserved character ended the password early, so that a part of it is not in the authority."""
    if parts.fragment or (parts.netloc and parts.hostname is None and not parts.netloc.endswith("@")):
        return True
    return "@" not in parts.netloc and "@" in f"{parts.path}{parts.query}"
