"""Counts the statements that an engine executes, how many of them are built, and the rows that queries fetch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event


@dataclass
class Work:
    """The statements that a database executed. ``longest`` is the highest number of statements in one transaction.

    ``built`` is the number of different statement objects. Only a statement that is kept is executed twice.
    """

    statements: int = 0
    rows: int = 0
    longest: int = 0
    built: int = 0


@contextmanager
def counted(engine: Engine) -> Iterator[Work]:
    """Count until the block ends. A statement for many rows counts once."""
    work = Work()
    current = 0
    objects: dict[int, object] = {}  # it keeps the objects, so that no two have the same id

    def building(_connection: Any, statement: object, *_: Any) -> None:
        objects[id(statement)] = statement
        work.built = len(objects)

    def begun(_connection: Any) -> None:
        nonlocal current
        current = 0

    def executed(*about: Any) -> None:
        nonlocal current
        cursor, statement, parameters = about[1:4]
        current += 1
        work.statements += 1
        work.longest = max(work.longest, current)
        if statement.lstrip().startswith("SELECT"):
            work.rows += _rows(cursor, statement, parameters)

    event.listen(engine, "before_execute", building)
    event.listen(engine, "begin", begun)
    event.listen(engine, "after_cursor_execute", executed)
    try:
        yield work
    finally:
        event.remove(engine, "before_execute", building)
        event.remove(engine, "begin", begun)
        event.remove(engine, "after_cursor_execute", executed)


def _rows(cursor: Any, statement: str, parameters: Any) -> int:
    """Return the number of rows of a query. SQLite does not report it, so the query is executed again."""
    if cursor.rowcount >= 0:
        return int(cursor.rowcount)
    counting = cursor.connection.execute(f"SELECT count(*) FROM ({statement})", parameters)
    return int(counting.fetchone()[0])
