"""Addresses of brokers and databases: what is wrong with one, without any part of its password or of its query."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, urlsplit

from alertworker.host.address_options import option_problem
from alertworker.host.postgresql_hosts import with_hosts_in_query

BROKER_SCHEMES: Final = ("redis", "rediss", "redis+socket", "amqp", "amqps", "pyamqp")
DATABASE_SCHEMES: Final = ("postgresql", "postgresql+psycopg", "postgres", "sqlite")
#: Schemes that people try. An error repeats no other scheme, because an address without one may begin with a password.
_FOREIGN: Final = frozenset(
    (
        *BROKER_SCHEMES, *DATABASE_SCHEMES, "azureservicebus", "confluentkafka", "file", "filesystem", "ftp", "http",
        "https", "kafka", "librabbitmq", "mariadb", "memory", "mongodb", "mssql", "mysql", "mysql+pymysql", "nats",
        "oracle", "postgres+psycopg", "postgresql+asyncpg", "postgresql+pg8000", "postgresql+psycopg2", "pyamqps",
        "redis+sentinel", "rediss+socket", "sentinel", "sqlalchemy", "sqla", "sqlite+aiosqlite", "sqs", "tcp", "unix",
        "valkey", "valkeys",
    )
)  # fmt: skip
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
#: A name as DNS allows it, or an IP address. Python raises UnicodeError when it looks up a longer or an empty label.
_HOST_NAME: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})*\.?|[0-9A-Fa-f:.]+(?:%[\w.-]+)?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|%[01][0-9A-Fa-f]|%7[Ff]")
_SQLITE: Final = re.compile(r"(?P<path>/[^?]*)?(?:\?(?P<query>.*))?")
_FILE: Final = "sqlite:////var/lib/alertworker/alerts.db"
#: Paths of databases that SQLite keeps in memory or in a temporary file. The latter two are such with ``uri=true``.
_IN_MEMORY: Final = frozenset(("", "/", "/:memory:"))
_URI_IN_MEMORY: Final = frozenset(("/file:", "/file::memory:"))
_ENCODE: Final = "percent-encode each of # / ? [ ] @ % ; in the user name and the password (# is %23, / is %2F)"
_SEMICOLON: Final = (
    "a ; separates two addresses, and one of them has no scheme; "
    "percent-encode a ; in the user name, the password or the path (; is %3B)"
)
_ONE_DATABASE: Final = (
    "expected one address; PostgreSQL takes several hosts in one, as in postgresql://USER:PASSWORD@ONE,TWO/DATABASE"
)
#: kombu switches from one address to the next only within one transport, and never to a socket.
_ALTERNATES: Final = "addresses with ; between them must have one scheme, and not redis+socket"


def address_problem(address: str, schemes: tuple[str, ...]) -> str | None:
    """Return why an address cannot be used, with the remedy; ``None`` if it can.

    Several addresses of brokers are separated by ``;``.

    >>> address_problem("http://:secret@host", BROKER_SCHEMES)
    "the scheme 'http' is not supported; expected one of redis, rediss, redis+socket, amqp, amqps, pyamqp"
    """
    if "sqlite" in schemes:
        return _ONE_DATABASE if re.search(r";\s*[a-z+]+://", address) else _problem(address.strip(), schemes)
    several = address.split(";")
    if len(several) > 1 and not all("://" in one for one in several):
        return _SEMICOLON
    for one in several:
        if (problem := _problem(one.strip(), schemes)) is not None:
            return problem
    found = {one.strip().partition("://")[0] for one in several}
    return _ALTERNATES if len(several) > 1 and (len(found) > 1 or "redis+socket" in found) else None


def with_verified_tls(address: str) -> str:
    """Return a broker's address that requests every check of TLS that its options do not switch off.

    Without ``ssl_cert_reqs`` kombu accepts any certificate of Redis. Old versions of redis-py do not verify the host
    name, nor does kombu for RabbitMQ. Each address has the options, because kombu applies those of the first
    to the next.

    >>> with_verified_tls("rediss://cache:6380/0")
    'rediss://cache:6380/0?ssl_cert_reqs=required&ssl_check_hostname=true'
    >>> with_verified_tls("amqps://mq//")
    'amqps://mq//?ssl_check_hostname=true'
    """
    return ";".join(map(_with_verified_tls, address.split(";")))


def socket_address(path: str, database: int = 0) -> str:
    """Return the address of a Redis behind a Unix socket."""
    return f"redis+socket://{quote(path)}?virtual_host={database}"


def host_of(address: str) -> str:
    """Return the host that a broker's address names, as far as it can be distinguished from the password."""
    if address.strip().partition("://")[0] not in BROKER_SCHEMES:  # what is behind may be a file, or a password
        return "an unknown host"
    if address.strip().startswith("redis+socket:"):
        return "a Unix socket"
    if re.search(r"(?s)\?.*=.*@", address):  # an option of the query, or the password, contains the @
        return "an unknown host"
    behind = address.rpartition("@")[2] if "@" in address else address.partition("://")[2]
    found = _HOST.match(behind)
    return found[0] if found else "an unknown host"


def _with_verified_tls(address: str) -> str:
    if not address.strip().startswith(("rediss://", "amqps://")):
        return address
    options = parse_qs(urlsplit(address).query)
    is_redis = address.strip().startswith("rediss://")
    added = ["ssl_cert_reqs=required"] if is_redis and "ssl_cert_reqs" not in options else []
    if "ssl_check_hostname" not in options and options.get("ssl_cert_reqs", [""])[-1] not in ("none", "CERT_NONE"):
        added.append("ssl_check_hostname=true")
    joint = ("&" if options else "") if "?" in address else "?"
    return f"{address.rstrip()}{joint}{'&'.join(added)}" if added else address


def _problem(address: str, schemes: tuple[str, ...]) -> str | None:
    scheme, separator, rest = address.partition("://")
    if not separator:
        return f"not an address; expected, for example, {schemes[0]}://USER:PASSWORD@HOST"
    if scheme not in schemes:
        shown = f" {scheme!r}" if scheme.lower() in _FOREIGN else ""
        return f"the scheme{shown} is not supported; expected one of {', '.join(schemes)}"
    if _CONTROL.search(address):
        return "the address contains a control character or half of a surrogate pair; remove it"
    if scheme == "sqlite":
        return _problem_of_file(rest)
    if not rest:
        example = "/run/redis.sock" if scheme == "redis+socket" else "HOST"
        return f"the address names no host; expected, for example, {scheme}://{example}"
    return _problem_of_parts(address, scheme)


def _problem_of_file(rest: str) -> str | None:
    found = _SQLITE.fullmatch(rest)
    if found is None:
        return f"an SQLite address names a file; expected, for example, {_FILE}"
    if (problem := option_problem("sqlite", found["query"] or "")) is not None:
        return problem
    options = set(parse_qsl(found["query"] or ""))
    path = found["path"] or ""
    in_memory = path in _IN_MEMORY or not options.isdisjoint({("mode", "memory"), ("vfs", "memdb")})
    if in_memory or (("uri", "true") in options and path in _URI_IN_MEMORY):
        return f"each process would have its own database in memory; name a file, for example {_FILE}"
    return None


def _problem_of_parts(address: str, scheme: str) -> str | None:
    if scheme in DATABASE_SCHEMES:
        address = with_hosts_in_query(address)
    try:
        parts = urlsplit(address)
        torn = _is_torn(parts) or parts.port == 0 or parts.netloc.endswith(":")
        # SQLAlchemy ends the password at the first of them, kombu at the last.
        torn = torn or (scheme in DATABASE_SCHEMES and parts.netloc.count("@") > 1)
    except ValueError:
        torn = True
    if torn:
        return f"the address cannot be parsed; {_ENCODE}"
    if scheme == "redis+socket" and (parts.hostname is not None or not parts.path.strip("/")):
        return "the address must name a Unix socket by its whole path, as in redis+socket:///run/redis.sock"
    if scheme in ("redis", "rediss") and not re.fullmatch(r"/?[0-9]{0,5}", parts.path):
        return "the path must be the number of a Redis database, as in redis://HOST:6379/0"
    return option_problem(scheme, parts.query)


def _is_torn(parts: SplitResult) -> bool:
    """Return whether a reserved character ended the password early, so that a part of it is not in the authority."""
    if parts.fragment or (parts.netloc and parts.hostname is None and not parts.netloc.endswith("@")):
        return True
    if parts.hostname is not None and not _HOST_NAME.fullmatch(parts.hostname):
        return True
    return "@" not in parts.netloc and "@" in f"{parts.path}{parts.query}"
