"""Conditions on composite keys.

SQLite reads the whole table for a list of row values, and uses the columns' index for a subquery. So the keys are one
JSON string there. PostgreSQL fails for a list of some thousand row values, so the keys are one array for each column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import ARRAY, ColumnElement, Connection, String, bindparam, cast, func, literal, select, tuple_


def one_of(
    connection: Connection, columns: Sequence[ColumnElement[object]], keys: Iterable[Sequence[object]]
) -> ColumnElement[bool]:
    """Return the condition for rows whose columns equal one of these keys."""
    dialect = connection.dialect.name
    values = key_parameters(dialect, "key", keys, len(columns)).values()
    types = _types_of(dialect, columns)
    return _is_in(dialect, columns, [literal(one, kind) for one, kind in zip(values, types, strict=True)])


def is_one_of(dialect: str, columns: Sequence[ColumnElement[object]], name: str) -> ColumnElement[bool]:
    """Return the same condition with the keys in `key_parameters`, for a statement that is built once."""
    types = _types_of(dialect, columns)
    return _is_in(dialect, columns, [bindparam(f"{name}_{index}", type_=kind) for index, kind in enumerate(types)])


def key_parameters(dialect: str, name: str, keys: Iterable[Sequence[object]], width: int) -> dict[str, object]:
    """Return the parameters for `is_one_of` with keys of ``width`` columns."""
    wanted = [tuple(key) for key in keys]
    if dialect == "sqlite":
        return {f"{name}_0": json.dumps(wanted, default=str)}
    return {f"{name}_{index}": [key[index] for key in wanted] for index in range(width)}


def _types_of(dialect: str, columns: Sequence[ColumnElement[object]]) -> Sequence[String | ARRAY[object]]:
    """Return the types of the parameters."""
    return [String()] if dialect == "sqlite" else [ARRAY(column.type) for column in columns]


def _is_in(
    dialect: str, columns: Sequence[ColumnElement[object]], values: Sequence[ColumnElement[object]]
) -> ColumnElement[bool]:
    if dialect == "sqlite":
        each = func.json_each(*values).table_valued("value")
        parts = (func.json_extract(each.c.value, f"$[{index}]") for index in range(len(columns)))
        return tuple_(*columns).in_(select(*parts))
    arrays = (cast(value, value.type) for value in values)
    names = (f"part_{index}" for index in range(len(columns)))
    unnested = func.unnest(*arrays).table_valued(*names).render_derived()
    return tuple_(*columns).in_(select(*unnested.c))
