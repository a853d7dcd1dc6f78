"""``alertworker deadletters``: list, show, replay and discard dead letters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click

from alertworker.cli.grammar import noun
from alertworker.cli.ids import find_one, whole_id
from alertworker.cli.output import AS_JSON, LIMIT, ONE_AS_JSON, configured_labels, show_done, show_rows, show_whole
from alertworker.cli.params import SINCE, UNTIL
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.errors import AlertWorkerError
from alertworker.text.ids import IdKind

if TYPE_CHECKING:
    from alertworker.ports import DeadLetter
    from alertworker.store import AdminStore

_F = TypeVar("_F", bound=Callable[..., object])
#: The largest number of dead letters that one command replays or discards.
_MOST = 10_000


class _Filters(TypedDict):
    """The values of the options that select dead letters."""

    kind: DeadLetterKind | None
    reason: str | None
    channel: str | None
    type: str | None
    since: datetime | None
    until: datetime | None


def _filters(command: _F) -> _F:
    """Add the options that select dead letters."""
    for option in (
        UNTIL,
        SINCE,
        click.option("--type", help="Only this event type or alert type."),
        click.option(
            "--channel",
            callback=lambda _context, _option, channel: channel and configured_labels().name_of(channel),
            help="Only notifications to this channel.",
        ),
        click.option("--reason", help="Only if the reason starts with this text."),
        click.option(
            "--kind",
            type=click.Choice([kind.value for kind in DeadLetterKind]),
            callback=lambda _context, _option, kind: kind and DeadLetterKind(kind),
            help="Only this kind.",
        ),
    ):
        command = option(command)
    return command


@noun
def deadletters() -> None:
    """List, show, replay and discard dead letters, which are not retried automatically. Without a command: list them.

    A dead letter is an invalid event, a parked batch or message, or a notification that its receiver refused or
    did not accept in time.
    """


@deadletters.command("list")
@_filters
@LIMIT
@AS_JSON
def list_(limit: int, as_json: bool, **filters: Unpack[_Filters]) -> None:  # noqa: FBT001 - click passes flags so
    """List dead letters, newest first."""
    from alertworker.app import build_admin_store
    from alertworker.ports.dead_letters import LetterFilter

    names = ("id", "kind", "type", "channel", "bytes", "created_at", "reason")
    found = build_admin_store().dead_letters.search(LetterFilter(**filters), limit=limit)
    labels = configured_labels()
    rows = [
        {name: getattr(row, name) for name in names} | {"channel": row.channel and labels.of(row.channel)}
        for row in found
    ]
    show_rows(rows, text="reason", as_json=as_json, empty="No dead letters.")


@deadletters.command()
@click.argument("letter_id")
@click.option(
    "--payload", is_flag=True, help="Print only the payload, unchanged. An event can be corrected and published again."
)
@ONE_AS_JSON
def show(letter_id: str, *, payload: bool, as_json: bool) -> None:
    """Print one dead letter as JSON, with its reason, its payload and every attempt to send it.

    The beginning of its id is enough if no other id begins so.
    """
    from alertworker.app import build_admin_store

    admin = build_admin_store()
    letter = find_one(admin, IdKind.DEAD_LETTER, letter_id, admin.dead_letters.find)
    if payload:
        sys.stdout.buffer.write(letter.payload + b"\n")
        return
    show_whole(_facts(letter, admin), as_json=as_json)


def _facts(letter: DeadLetter, admin: AdminStore) -> dict[str, object]:
    from alertworker.events.batch import display_payload

    facts: dict[str, object] = {"id": letter.id, "kind": letter.kind, "type": letter.type, "reason": letter.reason}
    facts["at"] = letter.created_at
    if letter.kind == DeadLetterKind.NOTIFICATION:
        attempts = [asdict(row) for row in admin.attempts(letter.batch_id or "")]
        channel = configured_labels().of(letter.channel or "")
        facts |= {"notification": letter.batch_id, "channel": channel, "attempts": attempts}
    else:
        facts |= {"batch": letter.batch_id, "position": letter.position}
    return facts | {"holds": display_payload(letter.payload)}


@deadletters.command()
@click.argument("letter_ids", nargs=-1)
@_filters
@ONE_AS_JSON
def replay(letter_ids: tuple[str, ...], *, as_json: bool, **filters: Unpack[_Filters]) -> None:
    """Replay these dead letters, or all that match the filters. The beginning of an id is enough.

    Notifications and batches keep their ids, so a repeated replay applies or sends nothing twice.
    """
    from alertworker import pipeline
    from alertworker.app import build_admin_store, build_broker

    admin, broker, now = build_admin_store(), build_broker(), datetime.now(UTC)
    _each(
        admin,
        letter_ids,
        filters,
        lambda letter_id: pipeline.replay(letter_id, admin.dead_letters, broker, now=now),
        "replayed",
        as_json=as_json,
    )


@deadletters.command()
@click.argument("letter_ids", nargs=-1)
@_filters
@ONE_AS_JSON
def discard(letter_ids: tuple[str, ...], *, as_json: bool, **filters: Unpack[_Filters]) -> None:
    """Delete these dead letters, or all that match the filters. The beginning of an id is enough."""
    from alertworker.app import build_admin_store

    admin = build_admin_store()
    _each(admin, letter_ids, filters, admin.dead_letters.discard, "discarded", as_json=as_json)


def _each(
    admin: AdminStore,
    letter_ids: tuple[str, ...],
    filters: _Filters,
    act: Callable[[str], bool],
    done: str,
    *,
    as_json: bool,
) -> None:
    """Run ``act`` on each dead letter. At the end, fail with the ids that are missing or were not processed."""
    from alertworker.ports.dead_letters import LetterFilter

    wanted = LetterFilter(**filters)
    if bool(letter_ids) == bool(wanted):
        raise AlertWorkerError(
            "pass ids of dead letters, or a filter: --kind, --reason, --channel, --type, --since or --until; not both"
        )
    named = list(dict.fromkeys(whole_id(admin, IdKind.DEAD_LETTER, prefix) for prefix in letter_ids))
    ids = named or [row.id for row in admin.dead_letters.search(wanted, limit=_MOST)]
    missed: list[str] = []
    for count, letter_id in enumerate(ids):
        try:
            if not act(letter_id):
                missed.append(letter_id)
        except AlertWorkerError as error:
            raise AlertWorkerError(
                f"{error}; {count - len(missed)} of {len(ids)} were {done} before the error"
            ) from None
    show_done(f"{len(ids) - len(missed)} {done}", {done: len(ids) - len(missed), "missed": missed}, as_json=as_json)
    if missed:
        raise AlertWorkerError(
            f"these dead letters, or the notifications they are about, no longer exist: {', '.join(missed)}"
        )
