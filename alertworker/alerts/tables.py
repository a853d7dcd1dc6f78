"""Tables and a chart as data: what a report shows, before any receiver's form. No logic but adding up, no IO."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from alertworker.money import spell_dollars

#: How many rows of a table a message carries; each receiver's form may show fewer of them.
MAX_ROWS: Final = 20
#: A change of more per cent says only that there was next to nothing before.
_MUCH: Final = 9_999

_FROZEN: Final = ConfigDict(frozen=True)
Cell = str | int | float | None
Row = tuple[Cell, ...]


class Unit(StrEnum):
    """What the cells of a column are, and so how a person reads them."""

    TEXT = "text"
    COUNT = "count"
    DOLLARS = "dollars"  #: whole nano-dollars
    CHANGE = "change"  #: per cent more or less than before; "new" where there was nothing before
    PERCENT = "percent"
    SECONDS = "seconds"


class Column(BaseModel):
    """A column's name and what is in it."""

    model_config = _FROZEN

    name: str
    unit: Unit = Unit.TEXT


class Table(BaseModel):
    """The highest rows of a table, in order.

    ``more`` are left out; ``rest`` is what they add up to, where rows add up (``sums``). ``apart`` are rows that are
    always shown after them ("no team"), and ``total`` is of everything. ``instead_of`` names the facts of the message
    that say the same in a line. Every text is raw.
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
        """Give the table with at most ``size`` rows; what else it had is counted and added up with the rest."""
        left = self.rows[size:]
        if not left:
            return self
        rest = self.added([*left, *([self.rest] if self.rest else [])]) if self.sums else None
        return self.model_copy(update={"rows": self.rows[:size], "more": self.more + len(left), "rest": rest})

    def added(self, rows: Sequence[Row]) -> Row:
        """Add rows up, in the columns in which that says something."""
        return tuple(
            sum(int(row[index] or 0) for row in rows) if column.unit in (Unit.COUNT, Unit.DOLLARS) else None
            for index, column in enumerate(self.columns)
        )

    def lines(self) -> list[tuple[Row, bool]]:
        """Give every row to show in order, with the words for what is left out; true for what is no single entity."""
        shown = [(row, False) for row in self.rows]
        if self.more:
            rest = self.rest or (None,) * len(self.columns)
            shown.append(((f"and {self.more:,} more", *rest[1:]), True))
        shown += [(row, False) for row in self.apart]
        return [*shown, (self.total, True)] if self.total else shown


class Series(BaseModel):
    """What one entity has for each day, in nano-dollars."""

    model_config = _FROZEN

    name: str
    values: tuple[int, ...]


class Chart(BaseModel):
    """Spend by day, piled up: the highest entities and, where there are ``others``, those together as the last."""

    model_config = _FROZEN

    title: str
    days: tuple[date, ...]
    series: tuple[Series, ...]
    others: bool = False


class Attachment(BaseModel):
    """A text file that goes with a message where a receiver takes files."""

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
    forms = {Unit.COUNT: "{:,}", Unit.CHANGE: "{:+,.0f} %", Unit.PERCENT: "{:.1f} %", Unit.SECONDS: "{:.3g} s"}
    return forms[unit].format(cell) if unit in forms else str(cell)
