"""Where decisions live: SQLite or PostgreSQL through SQLAlchemy Core."""

from __future__ import annotations

from alertworker.store.alert_lists import AlertFilter
from alertworker.store.dead_letters import LetterFilter
from alertworker.store.desk import Desk
from alertworker.store.engine import make_engine
from alertworker.store.gauges import Gauges, Readings
from alertworker.store.spend import SqlSpendBook
from alertworker.store.sql import SqlStore

__all__ = [
    "AlertFilter",
    "Desk",
    "Gauges",
    "LetterFilter",
    "Readings",
    "SqlSpendBook",
    "SqlStore",
    "make_engine",
]
