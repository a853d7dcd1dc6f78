"""``alertworker deadletters``: what nobody will retry, with its reason."""

from __future__ import annotations

import sys

import click

from alertworker.errors import AlertWorkerError


@click.group()
def deadletters() -> None:
    """Look at what nobody will retry."""


@deadletters.command("list")
@click.option("--kind", type=click.Choice(["event", "batch", "notification"]))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(kind: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List dead letters, newest first."""
    from alertworker.app import build_store
    from alertworker.cli.listing import show as show_rows
    from alertworker.settings import load_settings

    rows = [
        {
            "id": row.id,
            "kind": row.kind,
            "bytes": row.bytes,
            "at": row.created_at.isoformat(timespec="seconds"),
            "reason": row.reason,
        }
        for row in build_store(load_settings()).dead_letters(kind=kind, limit=limit)
    ]
    show_rows(rows, text="reason", as_json=as_json, empty="No dead letters.")


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
