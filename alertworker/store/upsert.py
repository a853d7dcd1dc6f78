"""What every subject's statements share: a connection, upserts, counters and dead letters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, func
from sqlalchemy.dialects import postgresql, sqlite

from alertworker.events.base import new_id, storable
from alertworker.store.schema.base import NAME
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import DEAD_LETTERS

#: The largest piece of a payload that a dead letter keeps, in bytes.
_MAX_PAYLOAD: Final = 16 * 1024 * 1024
#: The largest payload that is parsed for its type, in bytes: a parser may take a hundred times as much memory.
_MAX_TYPED: Final = 1024 * 1024


def insert_or(connection: Connection, table: Table) -> Any:
    """Give the dialect's INSERT, which knows ON CONFLICT."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _type(payload: bytes) -> str | None:
    """Give what an event, or a message, says it is, if it says so, and is not too long to be parsed for that."""
    if len(payload) > _MAX_TYPED:
        return None
    try:
        named = json.loads(payload)["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return storable(named[: NAME.length]) if isinstance(named, str) else None


class Statements:
    """One open transaction on SQLite or PostgreSQL."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def dead_letter(
        self,
        kind: str,
        reason: str,
        payload: bytes,
        *,
        batch_id: str | None,
        position: int | None,
        now: datetime,
        channel: str | None = None,
    ) -> None:
        """Keep what nobody will retry."""
        row = {
            "id": str(new_id()),
            "kind": kind,
            "reason": reason[:2_000],
            "batch_id": batch_id,
            "position": position,
            "type": None if kind == "batch" else _type(payload),
            "channel": channel,
            "payload": payload[:_MAX_PAYLOAD],
            "created_at": now,
        }
        self.connection.execute(insert_or(self.connection, DEAD_LETTERS).values(row))
        self.count("dead_letters", kind)

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        if by:
            self._add(COUNTERS, [{"name": name, "label": label, "value": by}])

    def _add(self, table: Table, rows: Sequence[Mapping[str, Any]], *, latest: str = "") -> None:
        """Insert rows, adding the sums to those that are there; of the column ``latest`` the greater stays."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        statement = insert_or(self.connection, table)
        added = [column for column in table.c if column.name not in keys]
        sums: dict[str, Any] = {column.name: column + statement.excluded[column.name] for column in added}
        if latest:
            greatest = func.max if self.connection.dialect.name == "sqlite" else func.greatest
            sums[latest] = greatest(table.c[latest], statement.excluded[latest])
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=sums), list(rows))
