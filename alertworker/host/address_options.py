"""The query options of broker and database addresses that the clients accept.

The clients are kombu, redis-py, py-amqp, libpq and SQLite. LiteLLM's address of its database has Prisma's options.

An error names an option only if the option is known to some client: an unknown name may be part of a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl


class Value(NamedTuple):
    """The values that an option accepts, as a pattern and in words."""

    pattern: str
    words: str


def _one_of(*words: str) -> Value:
    return Value("|".join(map(re.escape, words)), f"one of {', '.join(words)}")


_ANY: Final = Value(r"[^\x00-\x1f\x7f]+", "a value without control characters")
_NUMBER: Final = Value("[0-9]{1,9}", "a number")
_SECONDS: Final = Value("-?[0-9]{1,9}", "a number of seconds")
_TRUTH: Final = _one_of("true", "false")
_ZERO_ONE: Final = _one_of("0", "1")
_TLS_VERSION: Final = _one_of("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_VERIFY: Final = Value("none|optional|required|CERT_(?:NONE|OPTIONAL|REQUIRED)", "one of none, optional, required")

_REDIS: Final = {
    "credential_provider": Value(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)+", "the path of a Python class"),
    "ssl_ca_certs": _ANY,
    "ssl_ca_path": _ANY,
    "ssl_cert_reqs": _VERIFY,
    "ssl_certfile": _ANY,
    "ssl_check_hostname": _TRUTH,
    "ssl_ciphers": _ANY,
    "ssl_keyfile": _ANY,
    "ssl_password": _ANY,
}
_AMQP: Final = {
    "heartbeat": Value("[0-9]{1,5}", "a number of seconds"),
    "login_method": _one_of("AMQPLAIN", "EXTERNAL", "PLAIN"),
}
_LIBPQ: Final = {
    **dict.fromkeys(
        (
            "application_name", "client_encoding", "dbname", "fallback_application_name", "host", "hostaddr",
            "krbsrvname", "options", "passfile", "password", "require_auth", "requirepeer", "scram_client_key",
            "scram_server_key", "service", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslkeylogfile", "sslpassword",
            "sslrootcert", "user",
        ),
        _ANY,
    ),
    **dict.fromkeys(("connect_timeout", "keepalives_idle", "keepalives_interval"), _SECONDS),
    **dict.fromkeys(("keepalives_count", "tcp_user_timeout"), _NUMBER),
    **dict.fromkeys(("gssdelegation", "keepalives", "sslcompression", "sslsni"), _ZERO_ONE),
    "port": Value(r"[0-9]{1,5}(?:,[0-9]{0,5})*|(?:,[0-9]{0,5})+", "a port, or one for each host"),
    "channel_binding": _one_of("disable", "prefer", "require"),
    "gssencmode": _one_of("disable", "prefer", "require"),
    "gsslib": _one_of("gssapi", "sspi"),
    "load_balance_hosts": _one_of("disable", "random"),
    "max_protocol_version": Value(r"3\.[0-9]|latest", "a version, for example 3.0"),
    "min_protocol_version": Value(r"3\.[0-9]|latest", "a version, for example 3.0"),
    "ssl_max_protocol_version": _TLS_VERSION,
    "ssl_min_protocol_version": _TLS_VERSION,
    "sslcertmode": _one_of("disable", "allow", "require"),
    "sslmode": _one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": _one_of("postgres", "direct"),
    "target_session_attrs": _one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}  # fmt: skip
#: Prisma's options, which LiteLLM's ``DATABASE_URL`` has. We obey the first three. The others are Prisma's own matter.
PRISMA: Final[Mapping[str, Value]] = {
    "schema": _ANY,
    "pgbouncer": _TRUTH,
    "connection_limit": Value("[0-9]{1,4}", "a number of connections"),
    **dict.fromkeys(
        (
            "max_connection_lifetime", "max_idle_connection_lifetime", "pool_timeout", "single_use_connections",
            "socket_timeout", "sslaccept", "statement_cache_size",
        ),
        _ANY,
    ),
}  # fmt: skip
_POSTGRESQL: Final = {**_LIBPQ, **PRISMA}
_SQLITE: Final = {"timeout": Value(r"[0-9]{1,6}(?:\.[0-9]{1,3})?", "a number of seconds")}
#: The options of an SQLite URI. SQLite reads them only with ``uri=true``.
_SQLITE_URI: Final = _SQLITE | {
    "uri": _one_of("true"),
    "mode": _one_of("ro", "rw", "rwc", "memory"),
    "cache": _one_of("shared", "private"),
    "immutable": _ZERO_ONE,
    "nolock": _ZERO_ONE,
    "vfs": _ANY,
}

#: The options of each scheme.
OPTIONS: Final[Mapping[str, Mapping[str, Value]]] = {
    "redis": _REDIS,
    "rediss": _REDIS,
    "redis+socket": {"virtual_host": Value("[0-9]{1,5}", "the number of a Redis database")},
    **dict.fromkeys(("amqp", "pyamqp"), _AMQP),
    "amqps": _AMQP | {"ssl_check_hostname": _TRUTH},
    **dict.fromkeys(("postgresql", "postgresql+psycopg", "postgres"), _POSTGRESQL),
    "sqlite": _SQLITE,
}
#: Where an address has its password, for schemes whose clients take no option of this name.
_WITH_PASSWORD: Final = {
    **dict.fromkeys(("redis", "rediss"), ":PASSWORD@HOST"),
    **dict.fromkeys(("amqp", "amqps", "pyamqp"), "USER:PASSWORD@HOST"),
    "redis+socket": ":PASSWORD@/run/redis.sock",
}
#: Options that some client or another product has, and none of ours takes from an address.
_ELSEWHERE: Final = frozenset(
    (
        "auth_mechanism", "autocommit", "blocked_connection_timeout", "cacertfile", "certfile", "channel_max",
        "check_same_thread", "client_name", "connection_attempts", "connection_timeout", "db", "decode_responses",
        "encoding", "fail_if_no_peer_cert", "frame_max", "health_check_interval", "hostname", "insist",
        "isolation_level", "keyfile", "locale", "max_connections", "path", "prepare_threshold", "protocol",
        "read_timeout", "replication", "retry_delay", "retry_on_timeout", "server_name_indication",
        "socket_connect_timeout", "socket_keepalive", "socket_read_size", "socket_timeout", "ssl", "ssl_ca_data",
        "ssl_min_version", "ssl_options", "ssl_validate_ocsp", "transport", "userid", "username", "verify",
        "visibility_timeout", "write_timeout",
    )
)  # fmt: skip
_NAMES: Final = _ELSEWHERE.union(_SQLITE_URI, *OPTIONS.values())


def option_problem(scheme: str, query: str) -> str | None:
    """Return why a client would refuse the query of an address, with the remedy; ``None`` if it would not.

    >>> option_problem("rediss", "ssl_cert_reqs=secret")
    "the query option 'ssl_cert_reqs' must be one of none, optional, required"
    """
    try:
        options = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        return "the query cannot be parsed; expected ?NAME=VALUE&NAME=VALUE with percent-encoded values"
    known = _SQLITE_URI if scheme == "sqlite" and ("uri", "true") in options else OPTIONS[scheme]
    for name, value in options:
        if name not in known:
            return _not_supported(name, scheme, known)
        if not re.fullmatch(known[name].pattern, value):
            return f"the query option {name!r} must be {known[name].words}"
    return None


def _not_supported(name: str, scheme: str, known: Mapping[str, Value]) -> str:
    if name == "password" and scheme in _WITH_PASSWORD:
        return (
            f"the query option 'password' is not supported; expected, for example, {scheme}://{_WITH_PASSWORD[scheme]}"
        )
    shown = f"the query option {name!r}" if name in _NAMES else "a query option"
    return f"{shown} is not supported; expected one of {', '.join(sorted(known))}"
