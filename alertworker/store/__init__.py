"""The store: SQLAlchemy tables and queries, and nothing that decides."""

from __future__ import annotations

from alertworker.store.engine import make_engine
from alertworker.store.sql import SqlStore

__all__ = ["SqlStore", "make_engine"]
