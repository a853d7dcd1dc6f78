"""The reason in a log line or in readiness says what is wrong with the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from alertworker.errors import StoreUnavailable, TransactionRefused
from alertworker.store import SqlStore, make_engine
from alertworker.store.transaction import SqlTransaction


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x TEXT)"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("PRAGMA max_page_count = 3", "SQLITE_FULL"), ("PRAGMA query_only = 1", "SQLITE_READONLY")],
)
def test_a_reason_names_the_error_of_sqlite(engine: Engine, limit: str, reason: str) -> None:
    """A full disk and a read-only file were both an OperationalError."""

    def work(tx: SqlTransaction) -> None:
        tx.connection.execute(text(limit))
        tx.connection.execute(text("INSERT INTO t VALUES (hex(zeroblob(100000)))"))

    with pytest.raises(StoreUnavailable, match=rf"the database is unavailable \({reason}\)") as caught:
        SqlStore(engine).run(work)
    assert not isinstance(caught.value, TransactionRefused), "no transaction is the cause of a full disk"


@pytest.mark.postgresql
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SET LOCAL statement_timeout = 10; SELECT pg_sleep(60)", "QueryCanceled"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "AdminShutdown"),
    ],
)
def test_work_that_exceeds_a_timeout_or_ends_its_session_may_be_the_cause(
    store: SqlStore, statement: str, reason: str
) -> None:
    with pytest.raises(TransactionRefused, match=reason):
        store.run(lambda tx: tx.connection.execute(text(statement)))
