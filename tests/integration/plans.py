"""Records the plan of each statement that an engine executes, and which tables that grow it reads as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine, event

from alertworker.store.schema import METADATA
from tests.integration.history import GROWING

#: Indexes without the closed rows. Reading a whole one of them does not count as a scan of the table.
_PARTIAL: Final = frozenset(
    str(index.name)
    for table in METADATA.tables.values()
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
)
_ALIAS: Final = re.compile(r"\b(\w+) AS (\w+)\b")
_SQLITE_SCAN: Final = re.compile(r"^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
#: How many of SQLite's instructions one call of the progress handler stands for.
_STEPS: Final = 100


@contextmanager
def recorded(engine: Engine) -> Iterator[dict[str, frozenset[str]]]:
    """Record until the block ends: statements, each with the growing tables that it scans.

    Every statement is explained just before it is executed, with its parameters.
    """
    found: dict[str, frozenset[str]] = {}
    scans = _sqlite_scans if engine.dialect.name == "sqlite" else _postgresql_scans

    def executing(_connection: Any, cursor: Any, statement: str, *about: Any) -> None:
        parameters, *_ = about
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            own = scans(cursor.connection, statement, parameters[0] if isinstance(parameters, list) else parameters)
            found[statement] = found.get(statement, frozenset()) | (own & GROWING)

    event.listen(engine, "before_cursor_execute", executing)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", executing)


def _sqlite_scans(connection: Any, statement: str, parameters: Any) -> frozenset[str]:
    tables = {alias: table for table, alias in _ALIAS.findall(statement)}
    found: set[str] = set()
    for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
        scan = _SQLITE_SCAN.match(row[3])
        if scan is not None and scan[2] not in _PARTIAL:
            name = str(scan[1])
            found.add(tables.get(name, name))
    return frozenset(found)


def _postgresql_scans(connection: Any, statement: str, parameters: Any) -> frozenset[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        return frozenset(_scanned(cursor.fetchone()[0][0]["Plan"]))


def _scanned(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables that a node, or one below it, reads as a whole."""
    reads = node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan")
    if reads and "Index Cond" not in node and node.get("Index Name") not in _PARTIAL:
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _scanned(below)


@contextmanager
def instructions(engine: Engine) -> Iterator[list[int]]:
    """Count the instructions that SQLite executes until the block ends."""
    counted = [0]

    def step() -> int:
        counted[0] += _STEPS
        return 0

    def executing(_connection: Any, cursor: Any, *_about: Any) -> None:
        cursor.connection.set_progress_handler(step, _STEPS)

    event.listen(engine, "before_cursor_execute", executing)
    try:
        yield counted
    finally:
        event.remove(engine, "before_cursor_execute", executing)
