"""Databases that tests use one after the other.

A new database for each test would cost most of the tests' time: PostgreSQL writes a checkpoint to drop one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, LiteralString
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import Engine, event

from alertworker.store import make_engine
from alertworker.store.migrations import upgrade

_SERVER: Final = "postgresql://127.0.0.1:5432"
#: All that a test may change beside rows: schemas, columns, indexes, constraints, triggers, settings, statistics.
_DEFINITIONS: Final = """
    WITH own AS (
        SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^(pg_|information_)'
    )
    SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
        SELECT format('schema %s %s', nspname, nspacl) AS line FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT format('relation %s %s %s %s', oid, relname, reloptions, relacl) FROM own
        UNION ALL SELECT format('column %s %s %s %s %s', attrelid, attname, atttypid, attnotnull, atthasdef)
            FROM pg_attribute WHERE attrelid IN (SELECT oid FROM own) AND attnum > 0
        UNION ALL SELECT format('constraint %s', oid) FROM pg_constraint WHERE conrelid IN (SELECT oid FROM own)
        UNION ALL SELECT format('trigger %s %s', oid, tgenabled) FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM own)
        UNION ALL SELECT format('setting %s', setconfig) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT format('statistics %s %s', starelid, staattnum)
            FROM pg_statistic WHERE starelid IN (SELECT oid FROM own)
    ) AS lines
"""
_CLOSE_OTHERS: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES: Final = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_USED_TABLES: Final = f"{_TABLES} AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0"
_SCHEMAS: Final = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_)' AND nspname <> 'public'"


@dataclass
class Database:
    """A database on PostgreSQL. Each test finds it as it was when it was new."""

    #: Whether it has the tables of the newest version; else it has none.
    migrated: bool
    name: str = field(default_factory=lambda: f"alertworker_test_{uuid4().hex[:12]}")
    _definitions: str = ""

    @property
    def url(self) -> str:
        """Return the address."""
        return f"{_SERVER}/{self.name}"

    def create(self) -> None:
        """Create the database and its tables. Its commits do not wait for the disk: no test crashes the server."""
        self._administer("CREATE DATABASE {}")
        self._administer("ALTER DATABASE {} SET synchronous_commit = off")
        if self.migrated:
            engine = make_engine(self.url)
            upgrade(engine)
            engine.dispose()
        with psycopg.connect(self.url) as connection:
            self._definitions = _definitions(connection)

    def drop(self) -> None:
        """Close the connections to the database and drop it."""
        self._administer("DROP DATABASE {} WITH (FORCE)")

    def reset(self) -> None:
        """Close the connections of a test and remove all that it left."""
        with psycopg.connect(self.url) as connection:
            connection.execute(_CLOSE_OTHERS)
            (_empty_tables if self.migrated else _drop_tables)(connection)
            restored = _definitions(connection) == self._definitions
        if not restored:
            self.drop()
            self.create()

    def _administer(self, statement: str) -> None:
        with psycopg.connect(f"{_SERVER}/postgres", autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(sql.Identifier(self.name)))


def _definitions(connection: psycopg.Connection) -> str:
    row = connection.execute(_DEFINITIONS).fetchone()
    assert row is not None
    return str(row[0])


def _empty_tables(connection: psycopg.Connection) -> None:
    if used := _names(connection, _USED_TABLES):
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(used))


def _drop_tables(connection: psycopg.Connection) -> None:
    for kind, query in (("TABLE", _TABLES), ("SCHEMA", _SCHEMAS)):
        if found := _names(connection, query):
            connection.execute(sql.SQL(f"DROP {kind} {{}} CASCADE").format(found))


def _names(connection: psycopg.Connection, query: LiteralString) -> sql.Composable | None:
    names = [sql.Identifier(name) for (name,) in connection.execute(query)]
    return sql.SQL(", ").join(names) if names else None


def without_sync(engine: Engine) -> Engine:
    """Let SQLite write without waiting for the disk. Only a crash of the machine would show the difference."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return engine
