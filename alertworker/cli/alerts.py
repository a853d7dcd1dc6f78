"""``alertworker alerts``: what was judged, whether or not anybody was told."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def alerts(limit: int) -> None:
    """List alerts, newest first."""
    from alertworker.app import build_store
    from alertworker.settings import load_settings

    table = Table("since", "state", "level", "type", "count", "headline", "id")
    for row in build_store(load_settings()).alerts(limit=limit):
        state = "open" if row.open_fingerprint else "closed"
        since = row.first_at.isoformat(timespec="seconds")
        table.add_row(since, state, row.severity, row.type, str(row.count), Text(row.headline), row.id)
    Console().print(table)
