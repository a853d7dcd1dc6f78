"""The reason in a log line or in readiness says what is wrong with the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, text

from alertworker.errors import StoreUnavailable, TransactionRefused
from alertworker.store import SqlStore, make_engine
from alertworker.store.transaction import SqlTransaction

SERVER = "postgresql://127.0.0.1:5432"


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


@pytest.mark.postgresql
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_store_every_text_is_refused(encoding: str) -> None:
    """Each batch with such a text would be parked, and lengths would count bytes."""
    name = f"alertworker_test_{uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {} ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier(name), encoding))
        try:
            store = SqlStore(make_engine(f"{SERVER}/{name}"))
            with pytest.raises(StoreUnavailable, match=f"encoding is {encoding}, .*; create one with UTF8"):
                store.check_writes()
            store.engine.dispose()
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.postgresql
def test_the_encoding_of_the_environment_does_not_count(
    migrated_postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libpq reads it. Names in other languages would end in an error."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = SqlStore(make_engine(migrated_postgresql_url))
    name = store.run(lambda tx: tx.connection.execute(text("SELECT cast(:name AS text)"), {"name": "研究所"}).scalar())
    assert name == "研究所"
    store.engine.dispose()
