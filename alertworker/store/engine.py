"""Engines: one per process, made after any fork. SQLite syncs each commit and waits for its lock."""

from __future__ import annotations

import re
import sqlite3
from typing import Final, Literal

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from alertworker.host.postgresql_hosts import with_hosts_in_query
from alertworker.store.postgresql import make_postgresql_engine
from alertworker.store.sqlite_files import SqliteFiles

#: SQLSTATEs, and classes of them, of errors that pass: connection lost, out of resources, too slow, stopping, or a
#: damaged page.
_UNAVAILABLE = ("08", "25P03", "25P04", "53", "57014", "57P", "58", "XX")
#: SQLSTATEs, and classes of them, of such errors that the work itself may cause: it is too slow, needs too much
#: memory or a damaged page, or the server ended the session while it ran.
_REFUSED = ("08", "25P04", "53200", "57014", "57P01", "57P02", "XX")
#: SQLSTATEs of a missing table or column, and SQLite's messages: the schema is older than this program.
_SCHEMA = ("42P01", "42703")
_SQLITE_SCHEMA = re.compile(r"^no such (table|column): |^table \S+ has no column named ")
#: SQLite's primary result codes of such errors. A batch that meets one of them can neither be applied nor parked.
_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOTADB,
    }
)
#: Those of them that the work itself may cause: it needs too much memory, or a damaged page.
_SQLITE_REFUSED = frozenset({sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT})
#: SQLSTATEs of what only the database's owner can correct, by what is wrong and the remedy.
_SETUP = {
    "25006": "the database is read-only; connect to the primary server",
    "3F000": "the schema of the search path does not exist; create it, for example with CREATE SCHEMA",
    "42501": (
        "the database user has no permission for the tables or their schema; grant it, for example with "
        "GRANT CREATE, USAGE ON SCHEMA, or name another schema in the address as ?schema=NAME"
    ),
}
#: Why a server refuses connections, by a part of its message. The message names parts of the address, so it is not
#: repeated.
_REFUSALS = (
    (r'database ".*" does not exist', "the database that the address names does not exist; create it"),
    (
        r'role ".*" does not exist|authentication failed|no password supplied',
        "the server refuses the user or the password",
    ),
    (
        r"refused|could not translate host name|failed to resolve host",
        "the server cannot be reached; check host and port",
    ),
    (r"timeout expired", "the server does not answer; check host, port and firewall"),
)
#: The execution option of an engine whose transactions only read. On SQLite these take no lock that others wait for.
ONLY_READS: Final = "alertworker_only_reads"
#: The execution option of an engine whose transactions wait only briefly for SQLite's write lock.
WAITS_BRIEFLY: Final = "alertworker_waits_briefly"
#: How long a transaction waits for SQLite's write lock, in milliseconds, and how long one that waits briefly.
_BUSY: Final = 20_000
_BUSY_BRIEFLY: Final = 2_000
#: SQLSTATEs of a deadlock, a serialization failure and a lock timeout: the transaction is rerun.
_RERUN = ("40001", "40P01", "55P03")


def make_engine(url: str) -> Engine:
    """Return an engine for SQLite or PostgreSQL; errors never show parameters."""
    parsed = make_url(with_hosts_in_query(url) if url.startswith("postgres") else url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": _BUSY / 1000}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        SqliteFiles(engine)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return make_postgresql_engine(parsed)


def classify(error: DBAPIError) -> Literal["unavailable", "refused", "rerun", "broken"]:
    """Return what a database error means for the work.

    The work waits for the database, it waits although it may be the cause, it is rerun at once, or its data is wrong.
    """
    if getattr(error.orig, "sqlstate", None) in _RERUN:
        return "rerun"
    if not (error.connection_invalidated or _lacks_schema(error) or _is_away(error)):
        return "broken"
    return "refused" if _may_be_the_work(error) else "unavailable"


def _may_be_the_work(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return _primary_code(error.orig) in _SQLITE_REFUSED
    code = getattr(error.orig, "sqlstate", None)
    if code is None:  # the session was lost while a statement ran
        return error.statement is not None and not _lacks_schema(error)
    return str(code).startswith(_REFUSED)


def _is_away(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):  # one class of exceptions is of a full disk and of a sum that overflows
        return _primary_code(error.orig) in _SQLITE_UNAVAILABLE
    if isinstance(error, InterfaceError):
        return True
    code = getattr(error.orig, "sqlstate", None)
    if code is None:  # an error without a statement comes from connecting, for example from an unknown option
        return error.statement is None or isinstance(error, OperationalError)
    return code in _SETUP or str(code).startswith(_UNAVAILABLE)


def is_write_in_a_read(error: DBAPIError) -> bool:
    """Return whether SQLite refused a statement because it writes. The database itself may be read-only, too."""
    return isinstance(error.orig, sqlite3.Error) and _primary_code(error.orig) == sqlite3.SQLITE_READONLY


def explain(error: DBAPIError) -> str:
    """Return why the database does not answer, without its address and without the statement."""
    if _lacks_schema(error):
        return "the database's schema is older than this version; run `alertworker db upgrade`"
    if (setup := _SETUP.get(getattr(error.orig, "sqlstate", None) or "")) is not None:
        return setup
    name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)  # SQLITE_FULL: the disk is full
    causes = (text for pattern, text in _REFUSALS if error.statement is None and re.search(pattern, str(error.orig)))
    cause = next(causes, None)
    return f"the database is unavailable ({name})" + (f": {cause}" if cause else "")


def _primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's result code, without the byte that only refines it; 0 if Python itself raised the error."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _lacks_schema(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return _primary_code(error.orig) == sqlite3.SQLITE_ERROR and _SQLITE_SCHEMA.search(str(error.orig)) is not None
    return getattr(error.orig, "sqlstate", None) in _SCHEMA


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction that reads beside the writer, or take the write lock first.

    Upgrading a read lock later fails at once instead of waiting, so a reader cannot write.
    """
    options = connection.get_execution_options()
    reads = ONLY_READS in options
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_BUSY_BRIEFLY if WAITS_BRIEFLY in options else _BUSY}")
    connection.exec_driver_sql(f"PRAGMA query_only = {int(reads)}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
