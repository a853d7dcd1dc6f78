"""Tables and a chart as data: what a report shows, before any receiver's form. No logic except sums, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from alertworker.money import spell_dollars

#: The maximum number of table rows in a message. A receiver's form may show fewer.
MAX_ROWS: Final = 20
#: A larger change, in per cent, is not shown as a number: there was next to nothing before.
_MUCH: Final = 9_999

_FROZEN: Final = ConfigDict(frozen=True)
Cell = str | int | float | None
Row = tuple[Cell, ...]


class Unit(StrEnum):
    """The unit of a column's cells, and so how they are shown."""

    TEXT = "text"
    COUNT = "count"
    DOLLARS = "dollars"  #: whole nano-dollars
    CHANGE = "change"  # per cent more or less than before; "new" if there was nothing before
    PERCENT = "percent"
    SECONDS = "seconds"


class Column(BaseModel):
    """A column's name and unit."""

    model_config = _FROZEN

    name: str
    unit: Unit = Unit.TEXT


class Table(BaseModel):
    """The highest rows of a table, in order.

    ``more`` is the number of rows left out. ``rest`` is their sum, if rows have a sum (``sums``). ``apart`` are rows
    that are always shown after the others ("no team"), and ``total`` is the sum of all. ``instead_of`` names the
    message's facts that hold the same in one line. Every string is raw.
    """

    model_config = _FROZEN

    title: str
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=8)]
    rows: tuple[Row, ...]
    more: int = 0
    sums: bool = False
    rest: Row | None = None
    apart: tuple[Row, ...] = ()
    total: Row | None = None
    instead_of: tuple[str, ...] = ()

    def head(self, size: int) -> Table:
        """Return the table with at most ``size`` rows. The others are counted and added to the rest."""
        left = self.rows[size:]
        if not left:
            return self
        rest = self.totals_of([*left, *([self.rest] if self.rest else [])]) if self.sums else None
        return self.model_copy(update={"rows": self.rows[:size], "more": self.more + len(left), "rest": rest})

    def totals_of(self, rows: Sequence[Row]) -> Row:
        """Return the sum of rows, in the columns in which a sum has a meaning."""
        return tuple(
            sum(int(row[index] or 0) for row in rows) if column.unit in (Unit.COUNT, Unit.DOLLARS) else None
            for index, column in enumerate(self.columns)
        )

    def lines(self) -> list[tuple[Row, bool]]:
        """Return every row to show in order, and a row for those left out.

        The flag is true for a row that is not one entity.
        """
        shown = [(row, False) for row in self.rows]
        if self.more:
            rest = self.rest or (None,) * len(self.columns)
            shown.append(((f"and {self.more:,} more", *rest[1:]), True))
        shown += [(row, False) for row in self.apart]
        return [*shown, (self.total, True)] if self.total else shown


class Series(BaseModel):
    """One entity's amount for each day, in nano-dollars."""

    model_config = _FROZEN

    name: str
    values: tuple[int, ...]


class Chart(BaseModel):
    """Spend by day, stacked: the highest entities and, if ``others`` is true, the sum of all others as the last."""

    model_config = _FROZEN

    title: str
    days: tuple[date, ...]
    series: tuple[Series, ...]
    others: bool = False


class Attachment(BaseModel):
    """A text file that goes with a message if the receiver accepts files."""

    model_config = _FROZEN

    name: str
    media_type: str
    content: str


def show(cell: Cell, unit: Unit) -> str:
    """Return a cell as people read it.

    >>> show(4_102_000_000_000, Unit.DOLLARS), show(31.4, Unit.CHANGE), show("new", Unit.CHANGE), show(None, Unit.COUNT)
    ('$4,102', '+31 %', 'new', '')
    """
    if cell is None or isinstance(cell, str):
        return cell or ""
    if unit is Unit.DOLLARS:
        return spell_dollars(int(cell))
    if unit is Unit.CHANGE and cell > _MUCH:
        return f"> {_MUCH:,} %"
    if unit is Unit.CHANGE and not round(cell):
        return "0 %"
    forms = {Unit.COUNT: "{:,}", Unit.CHANGE: "{:+,.0f} %", Unit.PERCENT: "{:.1f} %", Unit.SECONDS: "{:.3g} s"}
    return forms[unit].format(cell) if unit in forms else str(cell)
