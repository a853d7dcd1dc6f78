"""Statements that add rows of sums or look rows up: one statement and one parameter for all rows of a table.

A statement depends only on a table and the names of columns, so it is built and compiled once in a process.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from pydantic_core import to_json
from sqlalchemy import Select, String, Table, and_, bindparam, case, cast, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB

from alertworker.store.rows import Rows
from alertworker.store.sums import capped_add

Insert: TypeAlias = sqlite.Insert | postgresql.Insert

#: The parameter of each statement: all rows as a JSON array of arrays. A parameter for each value would cost more.
_ROWS: Final = bindparam("rows", type_=String())


@lru_cache(maxsize=256)
def addition(
    table: Table, names: tuple[str, ...], dialect: str, *, latest: tuple[str, ...] = (), earliest: str = ""
) -> Insert:
    """Return the statement that inserts rows with these columns, and adds their sums to the rows that exist.

    In the columns ``latest`` the greater value stays. In the column ``earliest`` the smaller value stays, and so does
    NULL.
    """
    keys = [column.key for column in table.primary_key]
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    statement = insert.from_select(list(names), _source(table, names, dialect))
    greatest = func.max if dialect == "sqlite" else func.greatest
    changed: dict[str, object] = {
        name: capped_add(table.c[name], statement.excluded[name])
        for name in names
        if name not in {*keys, *latest, earliest}
    }
    changed |= {name: greatest(table.c[name], statement.excluded[name]) for name in latest}
    if earliest:
        later = table.c[earliest] > statement.excluded[earliest]
        changed[earliest] = case((later, statement.excluded[earliest]), else_=table.c[earliest])
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


@lru_cache(maxsize=16)
def look_up(table: Table, names: tuple[str, ...], dialect: str) -> Select[*tuple[object, ...]]:
    """Return the statement that selects the rows of a table whose columns ``names`` have wanted values."""
    wanted = _source(table, names, dialect).subquery()
    return select(table).join(wanted, and_(*(table.c[name] == wanted.c[name] for name in names)))


def parameters(rows: Rows) -> dict[str, str]:
    """Return the parameters of an `addition` or a `look_up` of these rows."""
    return {"rows": to_json(rows.values).decode()}


def _source(table: Table, names: tuple[str, ...], dialect: str) -> Select[*tuple[object, ...]]:
    """Return the parameter's rows as a query. Each database has a function of its own that lists a JSON array."""
    if dialect == "sqlite":
        listed = func.json_each(_ROWS).table_valued("value")
        values = (func.json_extract(listed.c.value, f"$[{place}]").label(name) for place, name in enumerate(names))
        return select(*values).where(true())  # without WHERE, SQLite takes ON CONFLICT for a join's condition
    row = func.jsonb_array_elements(cast(_ROWS, JSONB), type_=JSONB).column_valued("row")
    return select(*(cast(row[place].astext, table.c[name].type).label(name) for place, name in enumerate(names)))
