"""Dead letters: looked at, discarded, and given back to the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.sql.elements import ColumnElement

from alertworker.delivery.status import StatusChange
from alertworker.ports import DeadLetter
from alertworker.store.database import Database
from alertworker.store.delivery.changes import change
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.transaction import SqlTransaction


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters to list: those that match every given field; ``reason`` is how their reason begins."""

    kind: str | None = None
    reason: str | None = None
    channel: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Return whether it filters at all."""
        return self != LetterFilter()


class DeadLetters(Database):
    """Dead letters, for people."""

    def dead_letters(
        self, wanted: LetterFilter | None = None, *, after: str | None = None, limit: int = 100
    ) -> Sequence[Any]:
        """List dead letters, newest first, with the size of their payloads instead of these.

        ``after`` is the id of a dead letter; the list goes on after it.
        """
        columns = [column for column in DEAD_LETTERS.c if column.name != "payload"]
        statement = select(*columns, func.length(DEAD_LETTERS.c.payload).label("bytes"))
        statement = statement.where(*_conditions(wanted or LetterFilter()))
        if after is not None:
            at = select(DEAD_LETTERS.c.created_at).where(DEAD_LETTERS.c.id == after).scalar_subquery()
            same = (DEAD_LETTERS.c.created_at == at) & (DEAD_LETTERS.c.id < after)
            statement = statement.where((DEAD_LETTERS.c.created_at < at) | same)
        statement = statement.order_by(DEAD_LETTERS.c.created_at.desc(), DEAD_LETTERS.c.id.desc()).limit(limit)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """Return one dead letter; ``None`` if there is none with this id."""
        statement = select(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter_id)
        row = self.run(lambda tx: tx.connection.execute(statement).first())
        return DeadLetter(**row._asdict()) if row is not None else None

    def discard(self, letter_id: str) -> bool:
        """Delete a dead letter; false if there is none with this id."""
        statement = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter_id)
        return self.run(lambda tx: tx.connection.execute(statement).rowcount == 1)

    def discard_resent(self, letter: DeadLetter) -> None:
        """Discard the letter of a message that was sent again, unless the message was parked again meanwhile."""
        own = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter.id, DEAD_LETTERS.c.created_at == letter.created_at)
        self.run(lambda tx: tx.connection.execute(own))

    def requeue(self, letter: DeadLetter, *, now: datetime) -> bool:
        """Put a dead notification back into its lane, as it is, with a new deadline; false if it is gone."""

        def work(tx: SqlTransaction) -> bool:
            values = {"attempts": 0, "created_at": now, "next_attempt_at": now, "settled_at": None}
            replayed = change(StatusChange.REPLAY, NOTIFICATIONS.c.id == letter.batch_id).values(values)
            done = tx.connection.execute(replayed).rowcount == 1
            if done:
                tx.connection.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter.id))
            return done

        return self.run(work)

    def release_batch(self, batch_id: str) -> None:
        """Forget that a batch was parked, so that it is applied when it comes again; an applied batch stays applied."""
        parked = delete(BATCHES).where(BATCHES.c.batch_id == batch_id, BATCHES.c.events == 0)
        self.run(lambda tx: tx.connection.execute(parked))


def _conditions(wanted: LetterFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        DEAD_LETTERS.c[name] == getattr(wanted, name) for name in ("kind", "channel", "type") if getattr(wanted, name)
    ]
    if wanted.reason:
        found.append(DEAD_LETTERS.c.reason.startswith(wanted.reason, autoescape=True))
    if wanted.since:
        found.append(DEAD_LETTERS.c.created_at >= wanted.since)
    if wanted.until:
        found.append(DEAD_LETTERS.c.created_at < wanted.until)
    return found
