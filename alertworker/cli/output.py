"""How lists and single things are printed: whole ids, also in a narrow terminal and in a pipe; or JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import click

from alertworker.text.format import spell_moment
from alertworker.text.sanitize import one_line

LIMIT: Final = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def show_rows(rows: Sequence[Mapping[str, object]], *, text: str, as_json: bool, empty: str) -> None:
    """Print two lines a row, the second one its free ``text``; users may have typed it, so it is made harmless.

    What is ``None`` is left out, but for machines.
    """
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, default=plain))
        return
    for row in rows:
        cells = (plain(value) for name, value in row.items() if name != text and value is not None)
        click.echo("  ".join(one_line(str(cell)) for cell in cells))
        click.echo(f"    {one_line(str(row[text]))}")
    if not rows:
        click.echo(empty)


def show_whole(thing: Mapping[str, object]) -> None:
    """Print one thing with everything that is known of it, as JSON that a person can read, too."""
    click.echo(json.dumps(thing, indent=2, default=plain))


def plain(value: object) -> object:
    """Return a moment as a string with its zone, any other value unchanged."""
    return spell_moment(value) if isinstance(value, datetime) else value
