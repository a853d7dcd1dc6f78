"""Sums in SQL that never overflow, whatever producers send: each row has a largest sum, and so has a total of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from sqlalchemy import BigInteger, Column, ColumnElement, FunctionElement, Table, case, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from alertworker.ledger.rows import MAX_TOTAL
from alertworker.store.rows import Rows
from alertworker.store.schema.base import Count, Summed

#: SQLite adds up the lowest bits of all numbers and the rest of them apart. Neither sum overflows within 4e9 rows.
_LOW_BITS: Final = 31


class _CappedSum(FunctionElement[int]):
    """The SQL of `capped_sum`."""

    type = BigInteger()
    inherit_cache = True
    name = "capped_sum"


@compiles(_CappedSum, "sqlite")
def _sqlite(element: _CappedSum, compiler: SQLCompiler, **options: object) -> str:
    # A sum() of integers fails above a bigint, and total() is inexact.
    value = compiler.process(element.clauses, **options)
    size, largest = 1 << _LOW_BITS, (MAX_TOTAL >> _LOW_BITS) + 1
    high, low = f"min(sum(({value}) >> {_LOW_BITS}), {largest}) * {size}", f"sum(({value}) & {size - 1})"
    return f"min({high} + {low}, {MAX_TOTAL})"


@compiles(_CappedSum, "postgresql")
def _postgresql(element: _CappedSum, compiler: SQLCompiler, **options: object) -> str:
    total = f"sum({compiler.process(element.clauses, **options)})"  # a sum of bigint is numeric
    return (
        f"CASE WHEN {total} > {MAX_TOTAL} THEN {MAX_TOTAL} ELSE {total} END"  # least() would not be NULL without rows
    )


def capped_sum(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return the sum of a column over rows, at most `MAX_TOTAL`; NULL without rows.

    A plain sum is faster, and no number of calls overflows it.
    """
    return func.sum(column) if isinstance(column.type, Count) else _CappedSum(column)


def capped_add(kept: Column[int], more: ColumnElement[int] | int) -> ColumnElement[int]:
    """Return a row's sum with more added, at most the ``most`` of its type.

    A row of a version without this cap may hold more. It stays as it is.
    """
    most = most_of(kept)
    full = case((kept > most, kept), else_=most)
    return case((kept > most - more, full), else_=kept + more)


def most_of(column: Column[int]) -> int:
    """Return the largest number that a row of a column of sums holds.

    Raises:
        TypeError: the column is not one of sums.
    """
    if not isinstance(column.type, Summed):
        raise TypeError(f"{column} must be a Summed column")
    return column.type.most


def fitted(table: Table, row: Mapping[str, object]) -> dict[str, object]:
    """Return a row's values with each sum cut to the largest one."""
    return {name: _fitted(table.c[name], value) for name, value in row.items()}


def fitted_rows(table: Table, rows: Rows) -> Rows:
    """Return rows with each sum cut to the largest one. Hardly any is larger, so whole columns are compared."""
    columns = list(zip(*rows.values, strict=True))
    for place, name in enumerate(rows.names):
        column_type, values = table.c[name].type, columns[place]
        if isinstance(column_type, Summed) and max(numbers := cast("tuple[int, ...]", values)) > column_type.most:
            columns[place] = tuple(min(number, column_type.most) for number in numbers)
    return Rows(rows.names, list(zip(*columns, strict=True)))


def _fitted(column: Column[object], value: object) -> object:
    return min(value, column.type.most) if isinstance(column.type, Summed) and isinstance(value, int) else value
