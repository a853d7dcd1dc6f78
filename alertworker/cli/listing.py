"""How lists are printed: whole ids, also in a narrow terminal and in a pipe; or JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from alertworker.channels.text import one_line

LIMIT: Final = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


def show_rows(rows: Sequence[Mapping[str, Any]], *, text: str, as_json: bool, empty: str) -> None:
    """Print two lines a row, the second one its free ``text``; users may have typed that, so it is made harmless."""
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    for row in rows:
        click.echo("  ".join(str(value) for name, value in row.items() if name != text))
        click.echo(f"    {one_line(str(row[text]))}")
    if not rows:
        click.echo(empty)
