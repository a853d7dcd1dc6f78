"""Fills a store with the rows that years of operation leave: everything in it is closed, sent, ended or old."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, Column, Table, TypeDecorator, text

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.ledger.rows import DIMENSIONS
from alertworker.store import SqlStore
from alertworker.store.schema import METADATA
from alertworker.store.upsert import insert_or
from tests.integration.harness import NOW

#: The tables whose number of rows does not depend on how long the system has been running, with the reason.
BOUNDED: Final[Mapping[str, str]] = {
    "lanes": "one row per channel",
    "line": "one row per clock",
    "counters": "one row per reason",
    "ledger_start": "one row",
    "ledger_zones": "one row per time zone",
    "imports": "one row per source of an import",
}
#: The tables that are kept for a year, because they have days or months.
LEDGER: Final = frozenset(name for name, table in METADATA.tables.items() if {"day", "month"} & set(table.c.keys()))
GROWING: Final = frozenset(METADATA.tables) - BOUNDED.keys()

_TYPES: Final = sorted(AlertType)
#: History ends a week ago, so that nothing in it is of today, and spans a year.
_END: Final = NOW - timedelta(days=7)
#: The ledger keeps a year. Everything else is newer than its retention, because that was deleted.
_SPAN: Final = timedelta(days=25)
_LEDGER_SPAN: Final = timedelta(days=358)
#: The last hour has made a few rows too old.
_OLD: Final = timedelta(days=800)
_OLD_ROWS: Final = 5

_MESSAGE: Final = Message(
    alert_id="0",
    type=AlertType.LLM_EXCEPTIONS,
    severity=Severity.HIGH,
    step=Step.NOTICE,
    headline="h",
    at=NOW,
    since=NOW,
).model_dump_json()
_OWN: Final[Mapping[str, Mapping[str, Callable[[int], Any]]]] = {
    "alerts": {
        "open_fingerprint": lambda n: None,
        "fingerprint": lambda n: f"f{n // 3}",
        "type": lambda n: _TYPES[n % len(_TYPES)].value,
        "kind": lambda n: "condition" if n % 2 else "notice",
        "severity": lambda n: ("Low", "Medium", "High")[n % 3],
        "labels": lambda n: {"deployment": f"d{n}", "team": f"t{n % 50}", "model": "gpt-4o"},
        "repeat_at": lambda n: None,
        "suppressed_by": lambda n: None,
        "last_suppressed_by": lambda n: None,
        "acked_at": lambda n: None,
        "deferred_channels": lambda n: None,
    },
    "notifications": {
        "alert_id": lambda n: f"{n:08}-id",
        "step": lambda n: "firing:0",
        "channel": lambda n: "outbox",
        "status": lambda n: "dead" if n % 50 == 0 else "sent",
        "turn": lambda n: 1,
        "message": lambda n: _MESSAGE,
        "merged_into": lambda n: None,
    },
    "attempts": {"notification_id": lambda n: f"{n:08}-id", "outcome": lambda n: "sent"},
    "dead_letters": {
        "kind": lambda n: "event",
        "type": lambda n: "request_succeeded",
        "channel": lambda n: "outbox",
        "payload": lambda n: b"{}",
    },
    "calls": {
        "outcome": lambda n: "finished",
        "boot_id": lambda n: f"{n:08}-boot_id",
        "alert_id": lambda n: f"{n:08}-id",
    },
    "publishers": {
        "integration": lambda n: "litellm",
        "host": lambda n: f"host-{n % 20}",
        "counters": lambda n: {},
        "lost_at": lambda n: None,
        "silent_at": lambda n: None,
    },
    "budgets": {"closed": lambda n: True, "scope": lambda n: "team", "level": lambda n: 0},
    "silences": {"matchers": lambda n: ['team="nobody"']},
    "outages": {"level": lambda n: 0, "episodes": lambda n: []},
    "model_outages": {"state": lambda n: 0},
    "credentials": {"level": lambda n: 0, "provider": lambda n: "openai"},
}


def fill_with_history(store: SqlStore, count: int) -> None:
    """Write ``count`` old rows into each table that grows.

    SQLite has no statistics. PostgreSQL scans a small table even if it has indexes, so its planner gets a row count
    that is a thousand times higher.
    """
    with store.engine.begin() as connection:
        for name in sorted(GROWING):
            table = METADATA.tables[name]
            for start in range(0, count, 10_000):
                rows = [_row(table, n, count) for n in range(start, min(count, start + 10_000))]
                connection.execute(insert_or(connection, table).on_conflict_do_nothing(), rows)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
            many = text("UPDATE pg_class SET reltuples = reltuples * 1000 WHERE oid = CAST(:name AS regclass)")
            connection.execute(many, [{"name": name} for name in sorted(GROWING)])


def _row(table: Table, n: int, count: int) -> dict[str, Any]:
    """Return a row. Its values differ from those of the others, and its times grow with ``n``."""
    own = _OWN.get(table.name, {})
    age = (_LEDGER_SPAN if table.name in LEDGER else _SPAN) * ((count - n) / count)
    moment = NOW - _OLD if n < _OLD_ROWS else _END - age
    return {
        column.key: own[column.key](n) if column.key in own else _value(column, n, moment) for column in table.columns
    }


def _value(column: Column[Any], n: int, moment: datetime) -> Any:
    if column.name in ("bucket", "over_until"):
        return int(moment.timestamp()) // 10 * 10
    if column.name == "month":
        return moment.date().replace(day=1)
    if column.name == "dimension":
        return DIMENSIONS[n % len(DIMENSIONS)]
    if isinstance(column.type, JSON):
        return {}
    values = {datetime: moment, date: moment.date(), bool: False, bytes: b"", int: n}
    kind = (column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type).python_type
    return values[kind] if kind in values else f"{n:08}-{column.name}"[: getattr(column.type, "length", None)]
