"""Print lists as tables with headers, and lists or single items as JSON. Only a table loads what draws it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from alertworker.text.format import iso_moment, spell_moment
from alertworker.text.sanitize import one_line

if TYPE_CHECKING:
    from rich.table import Column

    from alertworker.delivery.channel_labels import ChannelLabels

LIMIT: Final = click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Maximum number of rows."
)
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
#: For a command that prints one result.
ONE_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object, on one line.")
#: The gap between two columns, and the narrowest that free text becomes in a terminal.
_GAP: Final = 2
_NARROWEST: Final = 40


def fixed(header: str) -> Column:
    """Return a column that never wraps, for ids, so that an id can be copied whole."""
    from rich.table import Column

    return Column(header, no_wrap=True)


def numeric(header: str) -> Column:
    """Return a column of numbers."""
    from rich.table import Column

    return Column(header, no_wrap=True, justify="right")


def free(header: str) -> Column:
    """Return a column of free text, which wraps in a narrow terminal."""
    from rich.table import Column

    return Column(header, overflow="fold")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table. Cells are plain text, without control characters.

    In a pipe or a file each row is one line, uncut and without styles. In a terminal free text wraps.
    """
    from rich.console import Console, ConsoleDimensions
    from rich.table import Table
    from rich.text import Text

    headers = [str(column.header) for column in columns]
    widths = [max(map(_width, cells)) for cells in zip(headers, *rows, strict=True)]
    gaps = _GAP * (len(columns) - 1)
    table = Table(*columns, box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for row in rows:
        table.add_row(*map(Text, row))
    if sys.stdout.isatty():
        console = Console()
        kept = (
            width if column.no_wrap else min(width, _NARROWEST) for width, column in zip(widths, columns, strict=True)
        )
        # Both dimensions: with the width alone, rich takes a terminal with TERM=dumb for one of 80 columns.
        console.size = ConsoleDimensions(max(console.width, sum(kept) + gaps), console.height)
        console.print(*([Text(title, style="bold")] if title else []), table, sep="\n")
        return
    file = io.StringIO()
    Console(file=file, width=sum(widths) + gaps, color_system=None, force_terminal=False).print(table)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    click.echo("\n".join([*([title] if title else []), *lines]))


def show_rows(rows: Sequence[Mapping[str, object]], *, text: str, as_json: bool, empty: str) -> None:
    """Print rows as a table whose headers are their keys, or as JSON, one object a line.

    ``text`` is the key of the free text. A table shows times in the configured zone, JSON in UTC. Cells can
    hold input of users, so all of them are sanitized.
    """
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, default=plain))
    elif not rows:
        click.echo(empty)
    else:
        zone = configured_zone()
        ordered = [*(key for key in rows[0] if key != text), text]
        columns = [_column(key, [row[key] for row in rows], is_free=key == text) for key in ordered]
        print_table(columns, [[cell(row[key], zone) for key in ordered] for row in rows])


def show_whole(thing: Mapping[str, object], *, as_json: bool) -> None:
    """Print one item with all its fields as JSON, indented for people or on one line for programs."""
    click.echo(json.dumps(thing, indent=None if as_json else 2, default=plain))


def show_done(text: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print what a command did: a text for people, or its facts as JSON for programs."""
    click.echo(json.dumps(facts, default=plain) if as_json else text)


def plain(value: object) -> object:
    """Return a time as ISO 8601 in UTC, and any other value unchanged."""
    return iso_moment(value) if isinstance(value, datetime) else value


def cell(value: object, zone: tzinfo = UTC) -> str:
    """Return a value as one line of text, a time in ``zone``. ``None`` becomes an empty string."""
    return "" if value is None else one_line(spell_moment(value, zone) if isinstance(value, datetime) else str(value))


def configured_labels() -> ChannelLabels:
    """Return how people see the configured channels."""
    from alertworker.settings import load_settings

    return load_settings().channel_labels


def configured_zone() -> ZoneInfo:
    """Return the time zone that times are shown in."""
    from alertworker.settings import load_settings

    return load_settings().zone


def _column(key: str, values: Sequence[object], *, is_free: bool) -> Column:
    header = key.replace("_", " ")
    if is_free:
        return free(header)
    return numeric(header) if all(isinstance(value, int | None) for value in values) else fixed(header)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.splitlines()), default=0)
