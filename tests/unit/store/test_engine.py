"""Work waits only if the database is away. Work that fails by its data is parked."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from alertworker.store.engine import classify, explain

#: Each primary result code of SQLite that Python knows, with what it means for a batch.
CODES = {
    "SQLITE_ERROR": "broken",
    "SQLITE_INTERNAL": "broken",
    "SQLITE_PERM": "unavailable",
    "SQLITE_ABORT": "broken",
    "SQLITE_BUSY": "unavailable",
    "SQLITE_LOCKED": "unavailable",
    "SQLITE_NOMEM": "refused",
    "SQLITE_READONLY": "unavailable",
    "SQLITE_INTERRUPT": "refused",
    "SQLITE_IOERR": "unavailable",
    "SQLITE_CORRUPT": "refused",
    "SQLITE_NOTFOUND": "broken",
    "SQLITE_FULL": "unavailable",
    "SQLITE_CANTOPEN": "unavailable",
    "SQLITE_PROTOCOL": "unavailable",
    "SQLITE_EMPTY": "broken",
    "SQLITE_SCHEMA": "unavailable",
    "SQLITE_TOOBIG": "broken",
    "SQLITE_CONSTRAINT": "broken",
    "SQLITE_MISMATCH": "broken",
    "SQLITE_MISUSE": "broken",
    "SQLITE_NOLFS": "unavailable",
    "SQLITE_AUTH": "unavailable",
    "SQLITE_FORMAT": "broken",
    "SQLITE_RANGE": "broken",
    "SQLITE_NOTADB": "unavailable",
    # Some that have a second byte.
    "SQLITE_BUSY_SNAPSHOT": "unavailable",
    "SQLITE_IOERR_FSYNC": "unavailable",
    "SQLITE_READONLY_DBMOVED": "unavailable",
    "SQLITE_CONSTRAINT_NOTNULL": "broken",
}


#: Some SQLSTATEs of PostgreSQL, with what each means.
STATES = {
    "08006": "refused",  # the connection failed while the statement ran
    "22003": "broken",  # a number out of range
    "25P03": "unavailable",  # idle in a transaction for too long
    "25P04": "refused",  # a transaction took too long
    "40P01": "rerun",  # a deadlock
    "53100": "unavailable",  # the disk is full
    "53200": "refused",  # out of memory
    "57014": "refused",  # a statement took too long
    "XX001": "refused",  # a damaged page
    "XX002": "refused",  # a damaged index
}


def wrapped(error: sqlite3.Error) -> DBAPIError:
    """Return the error as SQLAlchemy raises it."""
    made = DBAPIError.instance("SELECT 1", None, error, sqlite3.Error)
    assert isinstance(made, DBAPIError)
    return made


def raised_by(statement: str, *values: object) -> DBAPIError:
    """Return the error of a statement on a real database."""
    with pytest.raises(sqlite3.Error) as raised:
        sqlite3.connect(":memory:").execute(statement, values).fetchall()
    return wrapped(raised.value)


@pytest.mark.parametrize("kind", [sqlite3.OperationalError, sqlite3.DatabaseError, sqlite3.InterfaceError])
@pytest.mark.parametrize(("name", "meaning"), CODES.items())
def test_a_result_of_sqlite_says_whether_work_waits(name: str, meaning: str, kind: type[sqlite3.Error]) -> None:
    """The class of the exception does not: a full disk and a sum that overflows have the same one."""
    error = kind("text")
    error.sqlite_errorcode = getattr(sqlite3, name)
    assert classify(wrapped(error)) == meaning


@pytest.mark.parametrize(("state", "meaning"), STATES.items())
def test_a_state_of_postgresql_says_whether_work_waits(state: str, meaning: str) -> None:
    error = DBAPIError.instance("SELECT 1", None, psycopg.errors.lookup(state)(), psycopg.Error)
    assert isinstance(error, DBAPIError)
    assert classify(error) == meaning


def test_every_primary_result_of_sqlite_is_decided() -> None:
    assert {getattr(sqlite3, name) & 0xFF for name in CODES} == set(range(1, 27))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT sum(x) FROM (SELECT 9223372036854775807 x UNION ALL SELECT 1)",
        "SELECT json_extract('{', '$.a')",
        "SELECT zeroblob(9999999999)",
    ],
)
def test_an_error_that_data_causes_does_not_wait(statement: str) -> None:
    """A batch that causes it is delivered a few times and then parked with its bytes. It waited forever."""
    assert classify(raised_by(statement)) == "broken"


def test_a_value_that_cannot_be_stored_does_not_wait() -> None:
    """Python raises this error, and SQLite has no code for it."""
    assert classify(raised_by("SELECT ?", object())) == "broken"


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM gone", "SELECT gone FROM sqlite_master", "INSERT INTO t (gone) VALUES (1)"],
)
def test_a_schema_that_is_older_waits_for_its_migration(statement: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.Error) as raised:
            connection.execute(statement)
    error = wrapped(raised.value)

    assert classify(error) == "unavailable"
    assert "alertworker db upgrade" in explain(error)
