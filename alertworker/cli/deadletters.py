"""``alertworker deadletters``: what nobody will retry, with its reason."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from alertworker.cli.listing import AS_JSON, LIMIT, show_rows
from alertworker.errors import AlertWorkerError

if TYPE_CHECKING:
    from alertworker.store import Desk

_KIND = click.option("--kind", type=click.Choice(["event", "batch", "notification"]), help="Only this kind.")
_REASON = click.option("--reason", default="", help="Only those whose reason begins so.")


@click.group()
def deadletters() -> None:
    """Look at what nobody will retry; retry or discard it."""


@deadletters.command("list")
@_KIND
@_REASON
@LIMIT
@AS_JSON
def list_(kind: str | None, reason: str, limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List dead letters, newest first."""
    from alertworker.app import build_desk

    rows = [
        {
            "id": row.id,
            "kind": row.kind,
            "bytes": row.bytes,
            "at": row.created_at.isoformat(timespec="seconds"),
            "reason": row.reason,
        }
        for row in build_desk().dead_letters(kind=kind, reason=reason, limit=limit)
    ]
    show_rows(rows, text="reason", as_json=as_json, empty="No dead letters.")


@deadletters.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """Print the payload of one dead letter as it came."""
    from alertworker.app import build_desk

    letter = build_desk().dead_letter(letter_id)
    if letter is None:
        raise AlertWorkerError(f"there is no dead letter {letter_id}; `alertworker deadletters list` names them")
    sys.stdout.buffer.write(letter.payload + b"\n")


@deadletters.command()
@click.argument("letter_ids", nargs=-1)
@_KIND
@_REASON
def replay(letter_ids: tuple[str, ...], kind: str | None, reason: str) -> None:
    """Retry these dead letters, or all that the filters name."""
    from alertworker.app import build_desk

    desk = build_desk()
    done = _each(desk, letter_ids, kind, reason, lambda letter_id: _replay(desk, letter_id))
    click.echo(f"{done} replayed")


@deadletters.command()
@click.argument("letter_ids", nargs=-1)
@_KIND
@_REASON
def discard(letter_ids: tuple[str, ...], kind: str | None, reason: str) -> None:
    """Throw these dead letters away, or all that the filters name."""
    from alertworker.app import build_desk

    desk = build_desk()
    click.echo(f"{_each(desk, letter_ids, kind, reason, desk.discard)} discarded")


def _each(desk: Desk, letter_ids: Sequence[str], kind: str | None, reason: str, act: Callable[[str], bool]) -> int:
    if not letter_ids and not kind and not reason:
        raise AlertWorkerError("name dead letters, or filter them with --kind or --reason")
    ids = letter_ids or [row.id for row in desk.dead_letters(kind=kind, reason=reason, limit=10_000)]
    done = 0
    for letter_id in ids:
        if not act(letter_id):
            raise AlertWorkerError(f"there is no dead letter {letter_id}; {done} were done before it")
        done += 1
    return done


def _replay(desk: Desk, letter_id: str) -> bool:
    from alertworker import pipeline
    from alertworker.app import build_line

    letter = desk.dead_letter(letter_id)
    if letter is None:
        return False
    if letter.kind == "notification":
        return desk.requeue(letter, now=datetime.now(UTC))
    pipeline.replay(letter.id, letter.kind, letter.payload, build_line())
    desk.discard(letter.id)
    return True
