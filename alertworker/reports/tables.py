"""A report's tables: sums of the ledger as columns and rows, highest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alertworker.alerts.tables import MAX_ROWS, Cell, Column, Row, Table, Unit
from alertworker.ledger.reader import SpendRow
from alertworker.ledger.rows import SpendSums
from alertworker.text.names import short_id

_CHANGE: Final = Column(name="Change", unit=Unit.CHANGE)


def spend_table(
    dimension: str, rows: Sequence[SpendRow], total: SpendSums, before: SpendSums, *, compare: bool
) -> Table | None:
    """Return the spend of each entity, or ``None`` if there is none. Tags have no sum: a call may have several."""
    named = [row for row in rows if row.entity]
    if not named:
        return None
    without = [_row(f"no {dimension}", row.sums, row.before, compare=compare) for row in rows if not row.entity]
    columns = (
        Column(name=dimension.capitalize()),
        Column(name="Spend", unit=Unit.DOLLARS),
        *((_CHANGE,) if compare else ()),
        Column(name="Requests", unit=Unit.COUNT),
    )
    return Table(
        title=f"By {dimension}",
        columns=columns,
        rows=tuple(_row(row.alias or short_id(row.entity), row.sums, row.before, compare=compare) for row in named),
        sums=dimension != "tag",
        apart=tuple(without),
        total=_row("All", total, before, compare=compare),
        instead_of=(f"By {dimension}", f"No {dimension}"),
    ).head(MAX_ROWS)


def plain_table(title: str, columns: Sequence[Column], rows: Sequence[Row], *, size: int) -> Table | None:
    """Return the first ``size`` rows of a table without a sum, or ``None`` if there are no rows."""
    if not rows:
        return None
    return Table(title=title, columns=tuple(columns), rows=tuple(rows), instead_of=(title,)).head(size)


def change(sums: SpendSums, before: SpendSums) -> float | str | None:
    """Return the change in spend in per cent, "new", or ``None`` if there is nothing to compare."""
    if not before.spend_nanos:
        return "new" if sums.spend_nanos else None
    return (sums.spend_nanos - before.spend_nanos) * 100 / before.spend_nanos


def _row(name: str, sums: SpendSums, before: SpendSums, *, compare: bool) -> Row:
    changed: tuple[Cell, ...] = (change(sums, before),) if compare else ()
    return (name, sums.spend_nanos, *changed, sums.requests)
