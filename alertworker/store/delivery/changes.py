"""Changes of notifications in SQL. Every change of status follows `alertworker.delivery.status.TRANSITIONS`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Update, update

from alertworker.alerts.message import StepKey
from alertworker.delivery.dead_letters import DeadLetterKind
from alertworker.delivery.status import TRANSITIONS, NotificationStatus, StatusChange
from alertworker.delivery.turns import spell_dead_letter
from alertworker.ports.admin import NotificationRow
from alertworker.store.connection import columns_of, read_rows
from alertworker.store.delivery.delivered import fold_into_resolve
from alertworker.store.schema.delivery import ATTEMPTS, NOTIFICATIONS
from alertworker.store.upsert import Statements, insert_or
from alertworker.text.shorten import shorten

#: The maximum length of a receiver's answer that is stored, in characters.
_MAX_ANSWER: Final = 500
PENDING: Final = NOTIFICATIONS.c.status == NotificationStatus.PENDING


def change(what: StatusChange, *where: ColumnElement[bool]) -> Update:
    """Return the statement that changes the notifications whose status allows the change."""
    before, after = TRANSITIONS[what]
    return update(NOTIFICATIONS).where(*where, NOTIFICATIONS.c.status == before).values(status=after)


def change_one(what: StatusChange, notification_id: str) -> Update:
    """Return the statement that changes one notification, if its status allows the change."""
    return change(what, NOTIFICATIONS.c.id == notification_id)


def changed_row(tx: Statements, changed: Update) -> NotificationRow | None:
    """Return the notification that a statement changes, ``None`` if its status does not allow the change."""
    columns = columns_of(NotificationRow, NOTIFICATIONS)
    return next(iter(read_rows(tx.connection, NotificationRow, changed.returning(*columns))), None)


def record_sent(tx: Statements, notification_id: str, answer: str, *, now: datetime) -> NotificationRow | None:
    """Record that the receiver has a notification. Return its row, or ``None`` if it was settled before."""
    values = {"settled_at": now, "answer": shorten(answer, _MAX_ANSWER), "reason": None}
    sent = change_one(StatusChange.DELIVER, notification_id).values(values)
    return changed_row(tx, sent)


def record_dead(tx: Statements, notification_id: str, channel: str, *, reason: str, answer: str, now: datetime) -> None:
    """Mark a notification that is not settled as dead, and store it as a dead letter, unless it is a test."""
    values = {"settled_at": now, "reason": reason, "answer": shorten(answer, _MAX_ANSWER)}
    dead = change_one(StatusChange.GIVE_UP, notification_id).values(values)
    row = changed_row(tx, dead)
    key = StepKey.parse(row.step) if row is not None else None
    if row is None or (key is not None and key.of_test):
        return
    tx.dead_letter(
        DeadLetterKind.NOTIFICATION,
        spell_dead_letter(reason, answer),
        row.message.encode(),
        batch_id=notification_id,
        position=None,
        channel=channel,
        now=now,
    )
    fold_into_resolve(tx, row)


def record_attempt(tx: Statements, notification_id: str, outcome: str, answer: str, *, now: datetime) -> None:
    """Record an attempt with its outcome: `NotificationStatus.SENT`, or the reason for its failure."""
    row = {"notification_id": notification_id, "at": now, "outcome": outcome, "answer": shorten(answer, _MAX_ANSWER)}
    tx.connection.execute(insert_or(tx.connection, ATTEMPTS).values(row).on_conflict_do_nothing())
