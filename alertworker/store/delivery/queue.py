"""The messages that wait in lanes: the next ones, and the merging of many into few."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Exists, Select, and_, select, update
from typing_extensions import override

from alertworker.alerts.message import Step, StepKey
from alertworker.alerts.stored import StoredReader
from alertworker.alerts.tables import Attachment
from alertworker.delivery.coalescing import Plan, Waiting
from alertworker.delivery.status import SETTLED, DropReason, NotificationStatus, StatusChange
from alertworker.delivery.turns import PARTIAL_TURN
from alertworker.ports import Due
from alertworker.ports.admin import NotificationRow
from alertworker.ports.batches import CounterName
from alertworker.ports.lanes import QueuePort
from alertworker.store.connection import ConnectionRunner, columns_of, read_rows
from alertworker.store.delivery.changes import PENDING, change
from alertworker.store.delivery.notifications import NotificationStatements
from alertworker.store.schema.alerts import ATTACHMENTS
from alertworker.store.schema.delivery import NOTIFICATIONS

_T = TypeVar("_T")

_ROW: Final = columns_of(NotificationRow, NOTIFICATIONS)
#: The order of a lane. It is the order of the lane's index.
_ORDER: Final = (NOTIFICATIONS.c.turn, NOTIFICATIONS.c.created_at, NOTIFICATIONS.c.id)


class SqlQueue(QueuePort):
    """The waiting messages of lanes. Every method is one short transaction."""

    def __init__(self, database: ConnectionRunner) -> None:
        self._database = database

    def _run(self, work: Callable[[NotificationStatements], _T]) -> _T:
        return self._database.on_connection(lambda connection: work(NotificationStatements(connection)))

    @override
    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        statement = (
            select(*_ROW)
            .where(_unattempted(channel), NOTIFICATIONS.c.next_attempt_at <= now, ~_behind(channel, attempted=True))
            .order_by(*_ORDER)
            .limit(limit)
        )
        rows = self._database.rows(NotificationRow, statement)
        stored = StoredReader()  # unknown values are counted when the message is attempted
        return [Waiting(row.id, stored.message(row.message), row.created_at) for row in rows]

    @override
    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        self._run(lambda tx: merge(tx, channel, plan, now=now))

    @override
    def is_due(self, channel: str, *, now: datetime) -> bool:
        statement = select(_next(channel, now).exists())
        return self._database.read_on_connection(lambda connection: bool(connection.execute(statement).scalar()))

    @override
    def next_due(self, channel: str, *, limit: int, now: datetime, unattempted: bool = False) -> list[Due]:
        statement = _next(channel, now).order_by(*_ORDER).limit(limit)
        return self._dues(statement.where(NOTIFICATIONS.c.body.is_(None)) if unattempted else statement)

    @override
    def next_attempted(self, channel: str, *, now: datetime) -> list[Due]:
        attempted = _next(channel, now).where(NOTIFICATIONS.c.body.is_not(None), NOTIFICATIONS.c.turn < PARTIAL_TURN)
        return self._dues(attempted.order_by(NOTIFICATIONS.c.next_attempt_at, *_ORDER).limit(1))

    def _dues(self, statement: Select[*tuple[object, ...]]) -> list[Due]:
        return self._run(lambda tx: [_due(tx, row) for row in read_rows(tx.connection, NotificationRow, statement)])


def _next(channel: str, now: datetime) -> Select[*tuple[object, ...]]:
    return select(*_ROW).where(
        NOTIFICATIONS.c.channel == channel,
        PENDING,
        NOTIFICATIONS.c.next_attempt_at <= now,
        ~_behind(channel),
    )


def _due(tx: NotificationStatements, row: NotificationRow) -> Due:
    """Return a due notification with its files, which are not part of a message's row."""
    stored = StoredReader()
    message = stored.message(row.message)
    tx.count_unknown(stored)
    if message.tables and row.body is None:
        message = message.model_copy(update={"attachments": _attachments(tx, row.alert_id)})
    return Due(row.id, message, row.body, row.attempts, row.created_at)


def _attachments(tx: NotificationStatements, alert_id: str) -> tuple[Attachment, ...]:
    columns = (ATTACHMENTS.c.name, ATTACHMENTS.c.media_type, ATTACHMENTS.c.content)
    own = select(*columns).where(ATTACHMENTS.c.alert_id == alert_id).order_by(ATTACHMENTS.c.name)
    return tuple(Attachment.model_validate(row._asdict()) for row in tx.connection.execute(own))


def _unattempted(channel: str) -> ColumnElement[bool]:
    """Select notifications that were never attempted: only these may still be merged."""
    return and_(NOTIFICATIONS.c.channel == channel, PENDING, NOTIFICATIONS.c.body.is_(None))


def _behind(channel: str, *, attempted: bool = False) -> Exists:
    """Select messages that must wait for an earlier message of their alert; with ``attempted`` only for a sealed one.

    A merged message waits with the digest that contains it.
    """
    earlier, digest = NOTIFICATIONS.alias("earlier"), NOTIFICATIONS.alias("digest")
    unsent = (
        select(digest.c.id)
        .where(digest.c.id == earlier.c.merged_into, digest.c.status == NotificationStatus.PENDING)
        .exists()
    )
    in_a_digest = and_(
        earlier.c.status == NotificationStatus.MERGED, earlier.c.merged_into != NOTIFICATIONS.c.id, unsent
    )
    # With `==`, a planner without statistics would use the lane's index. The alert's index is the right one.
    pending = earlier.c.status.not_in(SETTLED)
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


def merge(tx: NotificationStatements, channel: str, plan: Plan, *, now: datetime) -> None:
    """Carry out a plan. The lane is leased, so no other worker attempts its messages."""

    def those(ids: Iterable[str]) -> ColumnElement[bool]:
        return and_(NOTIFICATIONS.c.id.in_(sorted(ids)), _unattempted(channel))

    def merge_into(notification_id: str, ids: Iterable[str]) -> None:
        merged = change(StatusChange.MERGE, those(ids)).values(settled_at=now, merged_into=notification_id)
        tx.connection.execute(merged)

    dropped = change(StatusChange.DROP, those(plan.dropped)).values(settled_at=now, reason=DropReason.STALE)
    tx.connection.execute(dropped)
    tx.count(CounterName.DROPPED, "stale_reminder", len(plan.dropped))
    for notification_id, message in plan.replaced.items():
        replaced = update(NOTIFICATIONS).where(those([notification_id])).values(message=message.model_dump_json())
        tx.connection.execute(replaced)
        merge_into(notification_id, [own for own, other in plan.absorbed.items() if other == notification_id])
    tx.count(CounterName.MERGED, "passed", len(plan.absorbed))
    if plan.digest is not None:
        # The digest goes before all remaining messages, because it is older than they are.
        tx.enqueue(plan.digest, StepKey(Step.DIGEST), [channel], now=plan.digest.since - timedelta(microseconds=1))
        own = select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.alert_id == plan.digest.alert_id)
        merge_into(tx.connection.execute(own).scalar_one(), plan.digested)
        tx.count(CounterName.MERGED, "digest", len(plan.digested))
