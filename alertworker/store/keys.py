"""Conditions on composite keys.

SQLite reads the whole table for a list of row values, and uses the columns' index for a subquery. So the keys are one
JSON string there. PostgreSQL fails for a list of some thousand row values, so the keys are one array for each column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Connection, String, bindparam, cast, func, select, tuple_


def one_of(
    connection: Connection, columns: Sequence[ColumnElement[object]], keys: Iterable[Sequence[object]]
) -> ColumnElement[bool]:
    """Return the condition for rows whose columns equal one of these keys."""
    if connection.dialect.name == "sqlite":
        wanted = keys_as_value("sqlite", keys)
        return _is_in_json(columns, bindparam("keys", wanted, type_=String(), unique=True))
    parts = list(zip(*keys, strict=True)) or [()] * len(columns)
    arrays = (cast(list(part), ARRAY(column.type)) for part, column in zip(parts, columns, strict=True))
    names = (f"part_{index}" for index in range(len(columns)))
    each = func.unnest(*arrays).table_valued(*names).render_derived()
    return tuple_(*columns).in_(select(*each.c))


def is_one_of(dialect: str, columns: Sequence[ColumnElement[object]], name: str) -> ColumnElement[bool]:
    """Return the same condition with the keys in a parameter, for a statement that is built once."""
    if dialect == "sqlite":
        return _is_in_json(columns, bindparam(name, type_=String()))
    return tuple_(*columns).in_(bindparam(name, expanding=True))


def keys_as_value(dialect: str, keys: Iterable[Sequence[object]]) -> str | list[tuple[object, ...]]:
    """Return keys as the value of the parameter of `is_one_of`."""
    wanted = [tuple(key) for key in keys]
    return json.dumps(wanted, default=str) if dialect == "sqlite" else wanted


def _is_in_json(columns: Sequence[ColumnElement[object]], keys: BindParameter[str]) -> ColumnElement[bool]:
    each = func.json_each(keys).table_valued("value")
    parts = (func.json_extract(each.c.value, f"$[{index}]") for index in range(len(columns)))
    return tuple_(*columns).in_(select(*parts))
