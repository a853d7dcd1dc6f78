"""What is told of alerts: notifications as they are written, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from alertworker.alerts.message import TEST_RESOLVED, Message, Step
from alertworker.delivery.retry import TRANSIENT
from alertworker.events.base import new_id
from alertworker.ports import Fate
from alertworker.store.delivery.delivered import told
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from alertworker.store.upsert import Statements, insert_or


class NotificationStatements(Statements):
    """Messages on their way to channels; lanes send them."""

    def told_channels(self, alert_id: str, *, shadow: bool) -> tuple[str, ...]:
        """Name the channels that were, or will be, told of an alert.

        What was only told in shadow counts while everything is in ``shadow``.
        """
        statement = select(NOTIFICATIONS.c.channel).where(NOTIFICATIONS.c.alert_id == alert_id, told(shadow=shadow))
        return tuple(self.connection.execute(statement.distinct().order_by(NOTIFICATIONS.c.channel)).scalars())

    def notify(self, message: Message, step: str, channels: Iterable[str], *, now: datetime) -> None:
        """Write a notification per channel; one that is there already stays as it is.

        Each is younger than all that the alert had before, also after the clock was set back: that is their order.
        """
        own = select(func.max(NOTIFICATIONS.c.created_at)).where(NOTIFICATIONS.c.alert_id == message.alert_id)
        last = self.connection.execute(own).scalar()
        created_at = now if last is None else max(now, last + timedelta(microseconds=1))
        rows = [_notification(message, step, channel, created_at=created_at, now=now) for channel in sorted(channels)]
        if rows:
            self.connection.execute(insert_or(self.connection, NOTIFICATIONS).on_conflict_do_nothing(), rows)

    def track(self, told: Sequence[tuple[Message, Sequence[str]]], *, now: datetime) -> None:
        """Write notifications that belong to no alert, each message to its channels; they are forgotten when sent."""
        step = Step.TRACKED.value
        rows = [
            _notification(message, step, name, created_at=now, now=now)
            for message, channels in told
            for name in channels
        ]
        if rows:
            self.connection.execute(NOTIFICATIONS.insert(), rows)

    def fates(self, alert_ids: Sequence[str], step: str) -> dict[str, Fate]:
        """Give what became of the notification of one step that each of these ids has, where it has one."""
        statement = select(NOTIFICATIONS).where(NOTIFICATIONS.c.alert_id.in_(alert_ids), NOTIFICATIONS.c.step == step)
        found = self.connection.execute(statement).all()
        return {row.alert_id: Fate(row.status, row.reason, row.answer, row.body) for row in found}

    def end_channel_tests(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, Fate]:
        """Drop those of these tests that are not settled yet, and ends of what never began.

        What got no answer, or an error of the receiver's, may have begun all the same.
        """
        self._withdraw(alert_ids, Step.TEST.value, now=now)
        fates = self.fates(alert_ids, Step.TEST.value)
        refused = [
            one for one, fate in fates.items() if fate.status != "sent" and fate.reason not in (*TRANSIENT, None)
        ]
        self._withdraw(refused, TEST_RESOLVED, now=now)
        return fates

    def _withdraw(self, alert_ids: Sequence[str], step: str, *, now: datetime) -> None:
        pending = (NOTIFICATIONS.c.step == step) & (NOTIFICATIONS.c.status == "pending")
        values = {"status": "dropped", "reason": "withdrawn", "settled_at": now}
        statement = update(NOTIFICATIONS).where(NOTIFICATIONS.c.alert_id.in_(alert_ids), pending).values(values)
        self.count("dropped", "withdrawn_test", self.connection.execute(statement).rowcount)

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Note that a channel's trouble is announced; false when it was before."""
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_(None))
        return self.connection.execute(statement.values(broken_at=now)).rowcount == 1

    def mark_well(self, channel: str) -> bool:
        """Note that a channel's trouble is over; false when none was announced."""
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_not(None))
        return self.connection.execute(statement.values(broken_at=None)).rowcount == 1


def _notification(message: Message, step: str, channel: str, *, created_at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "id": str(new_id()),
        "alert_id": message.alert_id,
        "step": step,
        "channel": channel,
        "status": "pending",
        "message": message.model_dump_json(),
        "attempts": 0,
        # A test does not wait behind what waits: who asked wants to know about the receiver.
        "turn": 0 if step in (Step.TEST.value, TEST_RESOLVED) else 1,
        "created_at": created_at,
        "next_attempt_at": now,
    }
