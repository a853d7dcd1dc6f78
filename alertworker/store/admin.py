"""What people ask of the store, and tell it: alerts, silences, notifications and dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from alertworker.budgets.readings import BudgetKey
from alertworker.budgets.state import BudgetState
from alertworker.ledger.time_zone import ZoneChange
from alertworker.routing.silences import Silence
from alertworker.store.alert_search import AlertSearch
from alertworker.store.budgets import read_budget
from alertworker.store.delivery.dead_letters import DeadLetters
from alertworker.store.schema.alerts import ALERTS, MEMBERS, PARTS, SILENCES
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import ATTEMPTS, NOTIFICATIONS
from alertworker.store.schema.publishers import PUBLISHERS
from alertworker.store.silences import read_silence
from alertworker.store.transaction import SqlTransaction


class AdminStore(AlertSearch, DeadLetters):
    """For the command line and pages; the pipeline needs none of it."""

    def alerts(
        self,
        *,
        open_only: bool = False,
        muted_only: bool = False,
        kind: str | None = None,
        fingerprint: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Any]:
        """List alerts, newest first; ``kind`` is an alert type, and ``since`` when one last happened."""
        statement = select(ALERTS).order_by(ALERTS.c.opened_at.desc(), ALERTS.c.id.desc()).limit(limit)
        if open_only:
            statement = statement.where(ALERTS.c.open_fingerprint.is_not(None))
        if muted_only:
            statement = statement.where(ALERTS.c.muted_by.is_not(None) | ALERTS.c.withheld_by.is_not(None))
        if kind:
            statement = statement.where(ALERTS.c.type == kind)
        if fingerprint:
            statement = statement.where(ALERTS.c.fingerprint == fingerprint)
        if since:
            statement = statement.where(ALERTS.c.last_at >= since)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def ledger_zone(self) -> tuple[str | None, ZoneChange | None]:
        """Give the time zone that days are cut in, ``None`` before the first sweep; and its last change."""
        return self.run(lambda tx: (tx.zone(), tx.last_zone_change()))

    def open_alerts(self) -> Sequence[Any]:
        """Give the type, the severity and the labels of every open alert."""
        columns = (ALERTS.c.id, ALERTS.c.type, ALERTS.c.severity, ALERTS.c.labels)
        statement = select(*columns).where(ALERTS.c.open_fingerprint.is_not(None))
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def occurrences(self, alert_id: str) -> tuple[list[str], dict[str, int]]:
        """Give the occurrences of an alert that are kept by name, in order, and how all of them divide."""
        members = select(MEMBERS.c.member).where(MEMBERS.c.alert_id == alert_id).order_by(MEMBERS.c.position)
        parts = select(PARTS.c.part, PARTS.c.count).where(PARTS.c.alert_id == alert_id).order_by(PARTS.c.count.desc())

        def work(tx: SqlTransaction) -> tuple[list[str], dict[str, int]]:
            divided = {row[0]: row[1] for row in tx.connection.execute(parts)}
            return list(tx.connection.execute(members).scalars()), divided

        return self.run(work)

    def alert(self, alert_id: str) -> Any:
        """Give one alert's row, ``None`` if there is none."""
        statement = select(ALERTS).where(ALERTS.c.id == alert_id)
        return self.run(lambda tx: tx.connection.execute(statement).first())

    def publishers(self) -> Sequence[Any]:
        """List publishers with what they counted, by host and process."""
        statement = select(PUBLISHERS).order_by(PUBLISHERS.c.host, PUBLISHERS.c.pid)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def budgets(self) -> list[tuple[BudgetKey, BudgetState]]:
        """List budgets by scope and entity."""
        statement = select(BUDGETS).order_by(BUDGETS.c.scope, BUDGETS.c.entity)
        return self.run(lambda tx: [read_budget(row) for row in tx.connection.execute(statement)])

    def acknowledge(self, alert_id: str, *, by: str, note: str, now: datetime) -> bool:
        """Stop an open condition's reminders; false where no such alert is open."""
        statement = update(ALERTS).where(ALERTS.c.id == alert_id, ALERTS.c.open_fingerprint.is_not(None))
        values = {"acked_at": now, "acked_by": by, "ack_note": note, "repeat_at": None}
        return self.run(lambda tx: tx.connection.execute(statement.values(values)).rowcount == 1)

    def notifications(
        self,
        *,
        alert_id: str | None = None,
        channel: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        merged_into: str | None = None,
        limit: int = 100,
    ) -> Sequence[Any]:
        """List notifications, newest first; ``since`` is when they were written."""
        statement = select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.id.desc()).limit(limit)
        asked = {"alert_id": alert_id, "channel": channel, "status": status, "merged_into": merged_into}
        statement = statement.where(*(NOTIFICATIONS.c[name] == value for name, value in asked.items() if value))
        if since:
            statement = statement.where(NOTIFICATIONS.c.created_at >= since)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def notification(self, notification_id: str) -> Any:
        """Give one notification's row, ``None`` if there is none."""
        statement = select(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id)
        return self.run(lambda tx: tx.connection.execute(statement).first())

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

    def silences(self, *, now: datetime | None) -> list[Silence]:
        """List the silences that have not ended, the ones that end first first; all that are kept without ``now``."""
        statement = select(SILENCES).order_by(SILENCES.c.ends_at)
        if now is not None:
            statement = statement.where(SILENCES.c.ends_at > now)
        return self.run(lambda tx: [read_silence(row) for row in tx.connection.execute(statement)])

    def expire_silence(self, silence_id: str, *, now: datetime) -> bool:
        """End a silence now; false where none with that id is left to end."""
        statement = update(SILENCES).where(SILENCES.c.id == silence_id, SILENCES.c.ends_at > now)
        return self.run(lambda tx: tx.connection.execute(statement.values(ends_at=now)).rowcount == 1)
