"""Tables in the forms that receivers share: aligned text for fixed-width blocks, and cells as strings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, set_cell_size

from alertworker.alerts.tables import Column, Table, Unit, show
from alertworker.text.sanitize import one_line

#: The width of a name in a fixed-width block, in cells of a terminal. A phone shows about 40 cells in a line.
_NAME: Final = 22


def cells(table: Table) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Return every row as strings, cleaned but not escaped, each with whether it stands for several entities."""
    for row, several in table.lines():
        yield tuple(map(_shown, row, table.columns)), several


def aligned(table: Table) -> str:
    """Return a table as lines of aligned text: numbers to the right, names cut to the width of a phone."""
    names = [column.unit is Unit.TEXT for column in table.columns]
    most = _NAME // sum(names) if any(names) else _NAME
    rows = [tuple(column.name for column in table.columns), *(row for row, _ in cells(table))]
    rows = [tuple(_cut(cell, most) if named else cell for cell, named in zip(row, names, strict=True)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(_padded(*cell) for cell in zip(row, widths, names, strict=True)).rstrip() for row in rows
    )


def _shown(cell: str | float | None, column: Column) -> str:
    return one_line(show(cell, column.unit))


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def _padded(text: str, width: int, named: bool) -> str:  # noqa: FBT001 - one of a row's columns
    room = " " * (width - cell_len(text))
    return f"{text}{room}" if named else f"{room}{text}"
