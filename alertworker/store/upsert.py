"""The base of every concept's statements: a connection, upserts, counters and dead letters."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import cache, lru_cache
from typing import Final

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from alertworker.alerts.stored import StoredReader
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.events.base import new_id
from alertworker.ports.batches import CounterName, CounterPort
from alertworker.ports.dead_letters import DeadLetterPort
from alertworker.store.additions import addition, parameters
from alertworker.store.rows import Rows
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.store.sums import fitted_rows
from alertworker.text.ids import safe_id, storable
from alertworker.text.shorten import shorten

_log: Final = logging.getLogger(__name__)
#: The largest payload that a dead letter stores whole, in bytes. Every message that can be read fits.
_MAX_PAYLOAD: Final = 64 * 1024 * 1024
#: The largest payload that is parsed for its type, in bytes: a parser may need a hundred times as much memory.
_MAX_TYPED: Final = 1024 * 1024
#: The maximum length of a dead letter's reason, in characters.
_MAX_REASON: Final = 2_000
#: The maximum length of a counter's label, in characters.
_MAX_LABEL: Final = 256


def insert_or(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the dialect's INSERT, which supports ON CONFLICT."""
    return insert_on(connection.dialect.name, table)


@cache
def insert_on(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the INSERT of a dialect, which supports ON CONFLICT.

    To build a statement costs more CPU than to execute it. A statement that runs for each alert is built once per
    process.
    """
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def insert_missing(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the INSERT of a dialect that leaves rows that exist as they are."""
    return insert_on(dialect, table).on_conflict_do_nothing()


def _type(payload: bytes) -> str | None:
    """Return the type that an event or a message states, unless it is too long to be parsed for that."""
    if len(payload) > _MAX_TYPED:
        return None
    try:
        named = json.loads(payload)["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return safe_id(named) if isinstance(named, str) else None


def _letter(kind: DeadLetterKind, reason: str, payload: bytes, now: datetime) -> dict[str, object]:
    """Return the columns that every dead letter has; no value of them can fail to be stored."""
    if len(payload) > _MAX_PAYLOAD:
        reason = f"{shorten(reason, _MAX_REASON // 2)}; only the first {_MAX_PAYLOAD} of {len(payload)} bytes are kept"
    return {
        "kind": kind.value,
        "reason": shorten(storable(reason), _MAX_REASON),
        "payload": payload[:_MAX_PAYLOAD],
        "created_at": now,
    }


@lru_cache(maxsize=1_000)
def _warn_of_unknown(value: str) -> None:
    """Log once in each process; the counter has the number of occurrences."""
    _log.warning("unknown value %s in the database, written by a newer version", value)


class Statements(CounterPort, DeadLetterPort):
    """One open transaction on SQLite or PostgreSQL."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @override
    def dead_letter(
        self,
        kind: DeadLetterKind,
        reason: str,
        payload: bytes,
        *,
        batch_id: str | None,
        position: int | None,
        now: datetime,
        channel: str | None = None,
    ) -> None:
        row = _letter(kind, reason, payload, now) | {
            "id": str(new_id()),
            "batch_id": batch_id,
            "position": position,
            "type": None if kind is DeadLetterKind.BATCH else _type(payload),
            "channel": channel,
        }
        self.connection.execute(insert_or(self.connection, DEAD_LETTERS).values(row))
        self.count(CounterName.DEAD_LETTERS, kind.value)

    @override
    def dead_message(self, letter_id: str, reason: str, payload: bytes, *, message_id: str, now: datetime) -> None:
        row = _letter(DeadLetterKind.MESSAGE, reason, payload, now) | {"id": letter_id, "batch_id": message_id}
        insert = insert_or(self.connection, DEAD_LETTERS).values(row)
        # The newer time shows a replay, which is about to discard the dead letter, that the message was parked again.
        self.connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"created_at": now}))
        self.count(CounterName.DEAD_LETTERS, DeadLetterKind.MESSAGE.value)

    @override
    def count(self, name: CounterName, label: str, by: int = 1) -> None:
        if by:
            self._add(COUNTERS, Rows(("name", "label", "value"), [(name, label, by)]))

    def count_unknown(self, stored: StoredReader) -> None:
        """Count the values that were replaced because only a newer version knows them, and warn about them."""
        for value in stored.unknown:
            _warn_of_unknown(value)
            self.count(CounterName.UNKNOWN_VALUES, shorten(value, _MAX_LABEL))

    def _add(self, table: Table, rows: Rows, *, latest: tuple[str, ...] = (), earliest: str = "") -> None:
        """Insert rows and add their sums to those that exist.

        Of the columns ``latest`` the greater value stays. Of the column ``earliest`` the smaller one stays, and NULL.
        """
        if rows.values:
            dialect = self.connection.dialect.name
            statement = addition(table, rows.names, dialect, latest=latest, earliest=earliest)
            self.connection.execute(statement, parameters(fitted_rows(table, rows)))
