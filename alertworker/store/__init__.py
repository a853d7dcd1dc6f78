"""The store: SQLite or PostgreSQL through SQLAlchemy Core."""

from __future__ import annotations

from alertworker.store.admin import AdminStore
from alertworker.store.engine import make_engine
from alertworker.store.health import HealthSnapshot, HealthStore
from alertworker.store.ledger.reader import SqlLedgerReader
from alertworker.store.processes import ProcessStore
from alertworker.store.sessions import SessionStore
from alertworker.store.sql_store import SqlStore

__all__ = [
    "AdminStore",
    "HealthSnapshot",
    "HealthStore",
    "ProcessStore",
    "SessionStore",
    "SqlLedgerReader",
    "SqlStore",
    "make_engine",
]
