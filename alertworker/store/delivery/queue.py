"""What waits in lanes: what is next, and what is made of many messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Exists, Select, and_, select, update

from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Attachment
from alertworker.delivery.coalescing import Plan, Waiting
from alertworker.ports import Due
from alertworker.store.database import Database
from alertworker.store.delivery.partial import REST
from alertworker.store.schema.alerts import ATTACHMENTS
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.transaction import SqlTransaction

#: The order of a lane, as its index has it.
_ORDER: Final = (NOTIFICATIONS.c.turn, NOTIFICATIONS.c.created_at, NOTIFICATIONS.c.id)
_SETTLED: Final = ("sent", "dead", "dropped", "merged")


class QueueStore(Database):
    """What a lane's worker asks before an attempt. Every method is one short transaction."""

    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        """Give what is due in a lane and was never attempted, in the lane's order."""
        statement = (
            select(NOTIFICATIONS)
            .where(_untouched(channel), NOTIFICATIONS.c.next_attempt_at <= now, ~_behind(channel, attempted=True))
            .order_by(*_ORDER)
            .limit(limit)
        )
        rows = self.run(lambda tx: tx.connection.execute(statement).all())
        return [Waiting(row.id, Message.model_validate_json(row.message), row.created_at) for row in rows]

    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        """Carry out a plan, for those notifications that are still as they were."""
        self.run(lambda tx: merge(tx, channel, plan, now=now))

    def next_due(self, channel: str, *, limit: int, now: datetime, untried: bool = False) -> list[Due]:
        """Give the lane's next notifications in order, messages of one alert one after the other.

        With ``untried`` those that were never attempted.
        """
        statement = _next(channel, now).order_by(*_ORDER).limit(limit)
        return self._dues(statement.where(NOTIFICATIONS.c.body.is_(None)) if untried else statement)

    def next_tried(self, channel: str, *, now: datetime) -> list[Due]:
        """Give the notification that was attempted before and has waited longest to be so again, if there is one."""
        tried = _next(channel, now).where(NOTIFICATIONS.c.body.is_not(None), NOTIFICATIONS.c.turn < REST)
        return self._dues(tried.order_by(NOTIFICATIONS.c.next_attempt_at, *_ORDER).limit(1))

    def _dues(self, statement: Select[Any]) -> list[Due]:
        return self.run(lambda tx: [_due(tx, row) for row in tx.connection.execute(statement).all()])


def _next(channel: str, now: datetime) -> Select[Any]:
    return select(NOTIFICATIONS).where(
        NOTIFICATIONS.c.channel == channel,
        NOTIFICATIONS.c.status == "pending",
        NOTIFICATIONS.c.next_attempt_at <= now,
        ~_behind(channel),
    )


def _due(tx: SqlTransaction, row: Any) -> Due:
    """Give a notification whose turn it is, with the files that it has and that no row of a message carries."""
    message = Message.model_validate_json(row.message)
    if message.tables and row.body is None:
        message = message.model_copy(update={"attachments": _attachments(tx, row.alert_id)})
    return Due(row.id, message, row.body, row.attempts, row.created_at)


def _attachments(tx: SqlTransaction, alert_id: str) -> tuple[Attachment, ...]:
    columns = (ATTACHMENTS.c.name, ATTACHMENTS.c.media_type, ATTACHMENTS.c.content)
    own = select(*columns).where(ATTACHMENTS.c.alert_id == alert_id).order_by(ATTACHMENTS.c.name)
    return tuple(Attachment.model_validate(row._asdict()) for row in tx.connection.execute(own))


def _untouched(channel: str) -> ColumnElement[bool]:
    """Select what was never attempted: only that may still be merged."""
    return and_(NOTIFICATIONS.c.channel == channel, NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.body.is_(None))


def _behind(channel: str, *, attempted: bool = False) -> Exists:
    """Select what must wait for an earlier message of its alert; with ``attempted`` only for one that is sealed.

    A message that was merged waits with the digest that tells it.
    """
    earlier, digest = NOTIFICATIONS.alias("earlier"), NOTIFICATIONS.alias("digest")
    unsent = select(digest.c.id).where(digest.c.id == earlier.c.merged_into, digest.c.status == "pending").exists()
    in_a_digest = and_(earlier.c.status == "merged", earlier.c.merged_into != NOTIFICATIONS.c.id, unsent)
    # Not by equality: the only index for this is the alert's, and a planner without statistics would take the lane's.
    pending = earlier.c.status.not_in(_SETTLED)
    return (
        select(earlier.c.id)
        .where(
            earlier.c.alert_id == NOTIFICATIONS.c.alert_id,
            earlier.c.channel == channel,
            (and_(pending, earlier.c.body.is_not(None)) if attempted else pending) | in_a_digest,
            earlier.c.created_at < NOTIFICATIONS.c.created_at,
        )
        .exists()
    )


def merge(tx: SqlTransaction, channel: str, plan: Plan, *, now: datetime) -> None:
    """Carry out a plan; its lane is leased, so nobody else attempts what it names."""

    def change(ids: Iterable[str], **values: Any) -> None:
        where = and_(NOTIFICATIONS.c.id.in_(sorted(ids)), _untouched(channel))
        tx.connection.execute(update(NOTIFICATIONS).where(where).values(values))

    change(plan.dropped, status="dropped", settled_at=now, reason="stale")
    tx.count("dropped", "stale_reminder", len(plan.dropped))
    for notification_id, message in plan.replaced.items():
        change([notification_id], message=message.model_dump_json())
        into = [own for own, other in plan.absorbed.items() if other == notification_id]
        change(into, status="merged", settled_at=now, merged_into=notification_id)
    tx.count("merged", "passed", len(plan.absorbed))
    if plan.digest is not None:
        # It goes before everything that is left: it is older than that.
        tx.notify(plan.digest, Step.DIGEST.value, [channel], now=plan.digest.since - timedelta(microseconds=1))
        own = select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.alert_id == plan.digest.alert_id)
        change(plan.digested, status="merged", settled_at=now, merged_into=tx.connection.execute(own).scalar_one())
        tx.count("merged", "digest", len(plan.digested))
