"""Dead letters: listed, discarded and replayed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.sql.elements import ColumnElement
from typing_extensions import override

from alertworker.delivery.status import StatusChange
from alertworker.ports import DeadLetter, Letters
from alertworker.ports.dead_letters import DeadLetterRow, LetterFilter
from alertworker.store.connection import ConnectionRunner, columns_of
from alertworker.store.delivery.changes import change
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import DEAD_LETTERS, NOTIFICATIONS


class DeadLetters(ConnectionRunner, Letters):
    """Statements that list, discard and replay dead letters."""

    def search(
        self, wanted: LetterFilter | None = None, *, after: str | None = None, limit: int = 100
    ) -> Sequence[DeadLetterRow]:
        """Return dead letters, newest first, that come after the dead letter with the id ``after``."""
        columns = [column for column in DEAD_LETTERS.c if column.name != "payload"]
        statement = select(*columns, func.length(DEAD_LETTERS.c.payload).label("bytes"))
        statement = statement.where(*_conditions(wanted or LetterFilter()))
        if after is not None:
            at = select(DEAD_LETTERS.c.created_at).where(DEAD_LETTERS.c.id == after).scalar_subquery()
            earlier = (DEAD_LETTERS.c.created_at < at) | (DEAD_LETTERS.c.id < after)
            # The first condition is by itself, so that the index is entered where the page begins.
            statement = statement.where(DEAD_LETTERS.c.created_at <= at, earlier)
        statement = statement.order_by(DEAD_LETTERS.c.created_at.desc(), DEAD_LETTERS.c.id.desc()).limit(limit)
        return self.rows(DeadLetterRow, statement)

    @override
    def find(self, letter_id: str) -> DeadLetter | None:
        statement = select(*columns_of(DeadLetter, DEAD_LETTERS)).where(DEAD_LETTERS.c.id == letter_id)
        return next(iter(self.rows(DeadLetter, statement)), None)

    @override
    def discard(self, letter_id: str) -> bool:
        statement = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter_id)
        return self.on_connection(lambda connection: connection.execute(statement).rowcount == 1)

    @override
    def discard_resent(self, letter: DeadLetter) -> None:
        own = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter.id, DEAD_LETTERS.c.created_at == letter.created_at)
        self.on_connection(lambda connection: connection.execute(own))

    @override
    def requeue(self, letter: DeadLetter, *, now: datetime) -> bool:
        def work(connection: Connection) -> bool:
            values = {"attempts": 0, "created_at": now, "next_attempt_at": now, "settled_at": None}
            replayed = change(StatusChange.REPLAY, NOTIFICATIONS.c.id == letter.batch_id).values(values)
            done = connection.execute(replayed).rowcount == 1
            if done:
                connection.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter.id))
            return done

        return self.on_connection(work)

    @override
    def release_batch(self, batch_id: str) -> None:
        parked = delete(BATCHES).where(BATCHES.c.batch_id == batch_id, BATCHES.c.events == 0)
        self.on_connection(lambda connection: connection.execute(parked))


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
