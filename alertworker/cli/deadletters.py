"""``alertworker deadletters``: what nobody will retry, with its reason."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alertworker.errors import AlertWorkerError


@click.group()
def deadletters() -> None:
    """Look at what nobody will retry."""


@deadletters.command("list")
@click.option("--kind", type=click.Choice(["event", "batch", "notification"]))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def list_(kind: str | None, limit: int) -> None:
    """List dead letters, newest first."""
    from alertworker.app import build_store
    from alertworker.settings import load_settings

    table = Table("at", "kind", "reason", "bytes", "id")
    for row in build_store(load_settings()).dead_letters(kind=kind, limit=limit):
        table.add_row(row.created_at.isoformat(timespec="seconds"), row.kind, Text(row.reason), str(row.bytes), row.id)
    Console().print(table)


@deadletters.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """Print the payload of one dead letter as it came."""
    from alertworker.app import build_store
    from alertworker.settings import load_settings

    payload = build_store(load_settings()).dead_letter_payload(letter_id)
    if payload is None:
        raise AlertWorkerError(f"there is no dead letter {letter_id}; `alertworker deadletters list` names them")
    sys.stdout.buffer.write(payload + b"\n")
