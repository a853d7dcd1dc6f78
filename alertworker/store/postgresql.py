"""Connections to PostgreSQL: directly, or through a pooler that gives each transaction another session.

A pooler such as PgBouncer refuses the startup parameter ``options``, and what one client sets in a session reaches the
next client. So no settings are sent at the start: a direct session gets them once, and behind a pooler each transaction
gets them for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from alertworker.errors import StoreUnavailable
from alertworker.host.address_options import PRISMA

#: How soon a dead connection is noticed: libpq's options, in seconds, the last in milliseconds.
_PATIENCE: Final[Mapping[str, int]] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
#: None of our statements takes long: a slow one waits for a lock or for an overloaded server.
#: Sums of ten thousand tags do not fit into the default of 4 MB, and on disk they are four times slower.
_SETTINGS: Final[Mapping[str, str]] = {
    "lock_timeout": "20s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "work_mem": "32MB",
}
#: Settings that no address may change, because our statements rely on them.
_FIXED: Final[Mapping[str, str]] = {"timezone": "UTC"}
#: A setting in libpq's ``options``: ``-c name=value``, ``-cname=value`` or ``--name=value``.
_SETTING: Final = re.compile(r"(?:-c\s*|--)(?P<name>[A-Za-z_][\w.-]*)=(?P<value>(?:\\.|[^\s\\])*)")

#: Errors of a server that does not have a setting, or does not accept its value or the change of it.
_BAD_SETTINGS: Final = (
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidParameterValue,
    psycopg.errors.CantChangeRuntimeParam,
)


@dataclass(frozen=True, slots=True)
class Options:
    """The query of an address, split into options for libpq, settings of the server, and options for our pool."""

    libpq: Mapping[str, str | Sequence[str]]
    settings: Mapping[str, str]
    is_pooled: bool
    connections: int | None


def read_options(query: Mapping[str, str | Sequence[str]]) -> Options:
    """Divide the query of an address. It may have libpq's options, and Prisma's, as LiteLLM's ``DATABASE_URL`` has.

    Neon and Supabase take their own words in ``options``, such as ``endpoint=NAME``. They stay for the server.

    >>> found = read_options({"options": "endpoint=a -c search_path=own", "pgbouncer": "true", "sslmode": "require"})
    >>> found.libpq, found.settings, found.is_pooled
    ({'sslmode': 'require', 'options': 'endpoint=a'}, {'search_path': 'own'}, True)
    """
    libpq = {name: value for name, value in query.items() if name not in PRISMA and name != "options"}
    options = _last(query.get("options", ""))
    prisma = {name: _last(query[name]) for name in PRISMA if name in query}
    settings = dict(_settings(options))
    if "schema" in prisma:
        settings["search_path"] = _quoted(prisma["schema"])
    if rest := " ".join(_SETTING.sub(" ", options).split()):
        libpq["options"] = rest
    limit = prisma.get("connection_limit")
    return Options(libpq, settings, prisma.get("pgbouncer") == "true", int(limit) if limit else None)


def make_postgresql_engine(url: URL) -> Engine:
    """Return an engine for a PostgreSQL, which may be behind a pooler; ``postgresql://`` means psycopg 3."""
    options = read_options(url.query)
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    pool = {} if options.connections is None else {"pool_size": max(1, options.connections), "max_overflow": 0}
    engine = create_engine(
        url.set(query=options.libpq),
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={**_PATIENCE, "client_encoding": "UTF8"},
        **pool,
    )
    sessions = _Sessions({**_SETTINGS, **options.settings, **_FIXED}, options.is_pooled)
    event.listen(engine, "connect", sessions.begin_session, insert=True)
    event.listen(engine, "begin", sessions.begin_transaction)
    return engine


@dataclass(slots=True)
class _Sessions:
    """Applies the settings of the server to a session, or to each transaction behind a pooler."""

    settings: Mapping[str, str]
    is_pooled: bool

    def begin_session(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        """Find out whether a pooler answers. Its clients have a process id of the pooler's, not of the session's."""
        driver = connection.driver_connection if hasattr(connection, "driver_connection") else connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - for mypy
        encoding = driver.info.parameter_status("server_encoding")
        if encoding not in (None, "UTF8"):
            raise StoreUnavailable(
                f"the database's encoding is {encoding}, which cannot store every text; create one with UTF8: "
                "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
            )
        driver.autocommit = True
        try:
            found = driver.execute("SELECT pg_backend_pid()").fetchone()
            pooled = self.is_pooled or found is None or found[0] != driver.info.backend_pid
            record.info["pooled"] = pooled
            if pooled:
                driver.prepare_threshold = None
            else:
                driver.execute(*self._statement(is_local=False))
        except _BAD_SETTINGS as error:
            raise StoreUnavailable(_refused(error)) from None
        finally:
            driver.autocommit = False

    def begin_transaction(self, connection: Connection) -> None:
        """Apply the settings to one transaction, if the next one may have another session."""
        if connection.info.get("pooled"):
            statement, values = self._statement(is_local=True)
            try:
                connection.exec_driver_sql(statement, tuple(values))
            except DBAPIError as error:
                if isinstance(error.orig, _BAD_SETTINGS):
                    raise StoreUnavailable(_refused(error.orig)) from None
                raise

    def _statement(self, *, is_local: bool) -> tuple[str, list[str]]:
        scope = "true" if is_local else "false"
        calls = ", ".join([f"set_config(%s, %s, {scope})"] * len(self.settings))
        return f"SELECT {calls}", [part for pair in self.settings.items() for part in pair]


def _refused(error: BaseException) -> str:
    return f"the server refuses a setting in the options of the database's address ({type(error).__name__}); correct it"


def _last(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else value[-1]


def _settings(options: str) -> Iterator[tuple[str, str]]:
    for found in _SETTING.finditer(options):
        yield found["name"].replace("-", "_"), re.sub(r"\\(.)", r"\1", found["value"])


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
