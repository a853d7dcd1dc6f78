"""What people ask of the store, and tell it: alerts, silences, notifications and dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from alertworker.budgets import BudgetKey, Standing
from alertworker.silences import Silence
from alertworker.store.alerts import read_silence
from alertworker.store.budgets import read_budget
from alertworker.store.database import Database
from alertworker.store.tables import ALERTS, ATTEMPTS, BUDGETS, DEAD_LETTERS, NOTIFICATIONS, SILENCES
from alertworker.store.transaction import SqlTransaction


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, whole. ``batch_id`` is the notification's id where it is one."""

    id: str
    kind: str
    reason: str
    batch_id: str | None
    payload: bytes


class Desk(Database):
    """For the command line and pages; the pipeline needs none of it."""

    def alerts(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Any]:
        """List alerts, newest first."""
        statement = select(ALERTS).order_by(ALERTS.c.opened_at.desc()).limit(limit)
        if open_only:
            statement = statement.where(ALERTS.c.open_fingerprint.is_not(None))
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def alert(self, alert_id: str) -> Any:
        """Give one alert's row, ``None`` if there is none."""
        statement = select(ALERTS).where(ALERTS.c.id == alert_id)
        return self.run(lambda tx: tx.connection.execute(statement).first())

    def budgets(self) -> list[tuple[BudgetKey, Standing]]:
        """List budgets by scope and entity."""
        statement = select(BUDGETS).order_by(BUDGETS.c.scope, BUDGETS.c.entity)
        return self.run(lambda tx: [read_budget(row) for row in tx.connection.execute(statement)])

    def acknowledge(self, alert_id: str, *, by: str, note: str, now: datetime) -> bool:
        """Stop an open condition's reminders; false where no such alert is open."""
        statement = update(ALERTS).where(ALERTS.c.id == alert_id, ALERTS.c.open_fingerprint.is_not(None))
        values = {"acked_at": now, "acked_by": by, "ack_note": note, "repeat_at": None}
        return self.run(lambda tx: tx.connection.execute(statement.values(values)).rowcount == 1)

    def notifications(self, *, alert_id: str | None = None, limit: int = 100) -> Sequence[Any]:
        """List notifications, newest first."""
        statement = select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.id.desc()).limit(limit)
        if alert_id:
            statement = statement.where(NOTIFICATIONS.c.alert_id == alert_id)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def attempts(self, notification_id: str) -> Sequence[Any]:
        """List the attempts of a notification in order."""
        statement = select(ATTEMPTS).where(ATTEMPTS.c.notification_id == notification_id).order_by(ATTEMPTS.c.at)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def add_silence(self, silence: Silence, *, now: datetime) -> None:
        """Keep a silence."""
        row = {
            "id": silence.id,
            "matchers": [str(matcher) for matcher in silence.matchers],
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "author": silence.author,
            "reason": silence.reason,
            "created_at": now,
        }
        self.run(lambda tx: tx.connection.execute(SILENCES.insert().values(row)))

    def silences(self, *, now: datetime) -> list[Silence]:
        """List the silences that have not ended, the ones that end first first."""
        statement = select(SILENCES).where(SILENCES.c.ends_at > now).order_by(SILENCES.c.ends_at)
        return self.run(lambda tx: [read_silence(row) for row in tx.connection.execute(statement)])

    def expire_silence(self, silence_id: str, *, now: datetime) -> bool:
        """End a silence now; false where none with that id is left to end."""
        statement = update(SILENCES).where(SILENCES.c.id == silence_id, SILENCES.c.ends_at > now)
        return self.run(lambda tx: tx.connection.execute(statement.values(ends_at=now)).rowcount == 1)

    def dead_letters(self, *, kind: str | None = None, reason: str = "", limit: int = 100) -> Sequence[Any]:
        """List dead letters, newest first, with the size of their payloads instead of these."""
        columns = [column for column in DEAD_LETTERS.c if column.name != "payload"]
        statement = select(*columns, func.length(DEAD_LETTERS.c.payload).label("bytes"))
        if kind:
            statement = statement.where(DEAD_LETTERS.c.kind == kind)
        if reason:
            statement = statement.where(DEAD_LETTERS.c.reason.startswith(reason, autoescape=True))
        statement = statement.order_by(DEAD_LETTERS.c.created_at.desc()).limit(limit)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def dead_letter(self, letter_id: str) -> DeadLetter | None:
        """Give one dead letter."""
        statement = select(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter_id)
        row = self.run(lambda tx: tx.connection.execute(statement).first())
        return DeadLetter(row.id, row.kind, row.reason, row.batch_id, row.payload) if row is not None else None

    def discard(self, letter_id: str) -> bool:
        """Throw a dead letter away; false where there is none."""
        statement = delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter_id)
        return self.run(lambda tx: tx.connection.execute(statement).rowcount == 1)

    def requeue(self, letter: DeadLetter, *, now: datetime) -> bool:
        """Put a dead notification back into its lane, as it is, with a new deadline; false where it is gone."""

        def work(tx: SqlTransaction) -> bool:
            own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == letter.batch_id, NOTIFICATIONS.c.status == "dead")
            values = {"status": "pending", "attempts": 0, "created_at": now, "next_attempt_at": now, "settled_at": None}
            done = tx.connection.execute(own.values(values)).rowcount == 1
            tx.connection.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.id == letter.id))
            return done

        return self.run(work)
