"""Conditions on composite keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, func, select, tuple_


def one_of(
    connection: Connection, columns: Sequence[ColumnElement[object]], keys: Iterable[Sequence[object]]
) -> ColumnElement[bool]:
    """Return the condition for rows whose columns equal one of these keys.

    SQLite reads the whole table for a list of row values, and uses the columns' index for a subquery. So the keys are
    one JSON string there.
    """
    wanted = [tuple(key) for key in keys]
    if connection.dialect.name != "sqlite":
        return tuple_(*columns).in_(wanted)
    each = func.json_each(json.dumps(wanted, default=str)).table_valued("value")
    parts = (func.json_extract(each.c.value, f"$[{index}]") for index in range(len(columns)))
    return tuple_(*columns).in_(select(*parts))
