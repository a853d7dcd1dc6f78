"""Engines: one per process, made after any fork; SQLite made durable and patient."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

#: SQLSTATEs and classes of them that say "not now", not "never": connection lost, out of resources, too slow, stopping.
_UNAVAILABLE = ("08", "25006", "25P03", "53", "57014", "57P", "58")
#: SQLSTATE of a table or column that is not there (yet): the schema is older than this program.
_SCHEMA = ("42P01", "42703")
#: SQLSTATE of a deadlock, a serialization failure and a lock that was not to be had in time: the transaction is rerun.
_RERUN = ("40001", "40P01", "55P03")


#: How soon a PostgreSQL that vanished without a word is noticed: libpq's words, in seconds, the last in milliseconds.
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
#: No statement of ours takes long: one that does waits for a lock, or for a server that is in trouble.
#: Sums of ten thousand tags do not fit into the four megabytes that are usual, and four times slower on disk.
_OPTIONS = (
    "-c lock_timeout=20s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s -c timezone=UTC "
    "-c work_mem=32MB"
)


def make_engine(url: str) -> Engine:
    """Give an engine for SQLite or PostgreSQL (``postgresql://`` means psycopg 3); errors never show parameters."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": 20}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(
        parsed,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=_PATIENCE | {"options": _OPTIONS},
    )


def classify(error: DBAPIError) -> str:
    """Tell what a database error means for the work: "unavailable", "rerun" or "broken"."""
    code = getattr(error.orig, "sqlstate", None)
    if code in _RERUN:
        return "rerun"
    if error.connection_invalidated or isinstance(error, InterfaceError) or _lacks_schema(error):
        return "unavailable"
    if code is None and error.statement is None:  # it could not connect: an option of the address is wrong, say
        return "unavailable"
    if code is None:
        return "unavailable" if isinstance(error, OperationalError) else "broken"
    return "unavailable" if code.startswith(_UNAVAILABLE) else "broken"


def explain(error: DBAPIError) -> str:
    """Say why the database cannot be asked, without its address and without what it was asked."""
    if _lacks_schema(error):
        return "the database lacks tables of this version; run `alertworker db upgrade`"
    return f"the database cannot be asked now ({type(error.orig).__name__})"


def _lacks_schema(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlstate", None)
    return code in _SCHEMA or (code is None and str(error.orig).startswith(("no such table", "no such column")))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=20000")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    """Take the write lock first: upgrading a read lock later fails at once instead of waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
