"""Notifications in SQL: write them, and read their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, bindparam, func, select, update
from typing_extensions import override

from alertworker.alerts.message import TEST, TEST_RESOLVED, Message, Step, StepKey
from alertworker.delivery.retry import TRANSIENT
from alertworker.delivery.status import DropReason, NotificationStatus, StatusChange
from alertworker.delivery.turns import turn_of
from alertworker.events.base import new_id
from alertworker.ports import DeliveryResult
from alertworker.ports.batches import CounterName
from alertworker.ports.notifications import NotificationPort
from alertworker.store.delivery.changes import change
from alertworker.store.delivery.delivered import delivered
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from alertworker.store.upsert import Statements, insert_missing

_NEWEST: Final = select(func.max(NOTIFICATIONS.c.created_at)).where(NOTIFICATIONS.c.alert_id == bindparam("own_id"))


class NotificationStatements(Statements, NotificationPort):
    """Statements that write notifications. The lanes send them."""

    @override
    def notified_channels(self, alert_id: str, *, shadow: bool) -> tuple[str, ...]:
        own = select(NOTIFICATIONS.c.channel).where(NOTIFICATIONS.c.alert_id == alert_id, delivered(shadow=shadow))
        return tuple(self.connection.execute(own.distinct().order_by(NOTIFICATIONS.c.channel)).scalars())

    @override
    def enqueue(self, message: Message, key: StepKey, channels: Iterable[str], *, now: datetime) -> None:
        last = self.connection.execute(_NEWEST, {"own_id": message.alert_id}).scalar()
        created_at = now if last is None else max(now, last + timedelta(microseconds=1))
        rows = _notifications(message, key, sorted(channels), created_at=created_at, now=now)
        if rows:
            self.connection.execute(insert_missing(self.connection.dialect.name, NOTIFICATIONS), rows)

    @override
    def enqueue_tracked(self, messages: Sequence[tuple[Message, Sequence[str]]], *, now: datetime) -> None:
        key = StepKey(Step.TRACKED)
        rows = [
            row
            for message, channels in messages
            for row in _notifications(message, key, channels, created_at=now, now=now)
        ]
        if rows:
            self.connection.execute(NOTIFICATIONS.insert(), rows)

    @override
    def delivery_results(self, alert_ids: Sequence[str], key: StepKey) -> dict[str, DeliveryResult]:
        statement = select(NOTIFICATIONS).where(_of(alert_ids, key))
        found = self.connection.execute(statement).all()
        return {row.alert_id: DeliveryResult(row.status, row.reason, row.answer, row.body) for row in found}

    @override
    def end_channel_tests(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, DeliveryResult]:
        self._withdraw(alert_ids, TEST, now=now)
        results = self.delivery_results(alert_ids, TEST)
        refused = [
            alert_id
            for alert_id, result in results.items()
            if result.status != NotificationStatus.SENT and result.reason not in (*TRANSIENT, None)
        ]
        self._withdraw(refused, TEST_RESOLVED, now=now)
        return results

    def _withdraw(self, alert_ids: Sequence[str], key: StepKey, *, now: datetime) -> None:
        withdrawn = change(StatusChange.DROP, _of(alert_ids, key)).values(reason=DropReason.WITHDRAWN, settled_at=now)
        self.count(CounterName.DROPPED, "withdrawn_test", self.connection.execute(withdrawn).rowcount)

    @override
    def count_waiting(self, channel: str) -> int:
        pending = (NOTIFICATIONS.c.channel == channel) & (NOTIFICATIONS.c.status == NotificationStatus.PENDING)
        return self.connection.execute(select(func.count()).select_from(NOTIFICATIONS).where(pending)).scalar_one()

    @override
    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_(None))
        return self.connection.execute(statement.values(broken_at=now)).rowcount == 1

    @override
    def broken_channels(self) -> list[str]:
        return list(self.connection.execute(select(LANES.c.channel).where(LANES.c.broken_at.is_not(None))).scalars())

    @override
    def mark_recovered(self, channel: str) -> bool:
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_not(None))
        return self.connection.execute(statement.values(broken_at=None)).rowcount == 1


def _of(alert_ids: Sequence[str], key: StepKey) -> ColumnElement[bool]:
    return NOTIFICATIONS.c.alert_id.in_(alert_ids) & (NOTIFICATIONS.c.step == str(key))


def _notifications(
    message: Message, key: StepKey, channels: Iterable[str], *, created_at: datetime, now: datetime
) -> list[dict[str, object]]:
    """Return the rows of one message to some channels."""
    shared: dict[str, object] = {
        "alert_id": message.alert_id,
        "step": str(key),
        "status": NotificationStatus.PENDING,
        "message": message.model_dump_json(),
        "attempts": 0,
        "turn": turn_of(key),
        "created_at": created_at,
        "next_attempt_at": now,
    }
    return [{"id": str(new_id()), "channel": channel, **shared} for channel in channels]
