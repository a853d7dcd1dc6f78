"""Alerts and what is told of them: generations, members, silences and notifications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select, update

from alertworker.alerts import Alert, AlertType, Kind, OpenAlert, Severity
from alertworker.delivery import TRANSIENT
from alertworker.events.base import new_id
from alertworker.figures import BudgetFigures
from alertworker.inhibitions import OpenCondition
from alertworker.matchers import parse
from alertworker.messages import TEST_RESOLVED, Message, Step
from alertworker.ports import Fate
from alertworker.silences import Silence
from alertworker.store.statements import Statements, insert_or
from alertworker.store.tables import ALERTS, ATTACHMENTS, CALLS, LANES, MEMBERS, NOTIFICATIONS, PARTS, SILENCES
from alertworker.tables import Attachment, Chart, Table


class AlertStatements(Statements):
    """Claims, each one statement, and what they lead to."""

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement; gives the row as it then stands.

        What is said on a lower level than the row's is counted and does not replace the row's own words.
        """
        own_id = str(new_id())
        row: dict[str, Any] = {
            "id": own_id,
            "fingerprint": alert.fingerprint,
            "open_fingerprint": alert.fingerprint,
            "type": alert.type.value,
            "kind": alert.kind.value,
            "severity": alert.severity.value,
            "level": alert.level,
            "headline": alert.headline,
            "labels": dict(alert.identity) | dict(alert.labels),
            "facts": dict(alert.facts),
            "metadata": dict(alert.metadata),
            "figures": alert.figures.model_dump(mode="json") if alert.figures else None,
            "tables": [table.model_dump(mode="json") for table in alert.tables] or None,
            "chart": alert.chart.model_dump(mode="json") if alert.chart else None,
            "count": alert.count,
            "told": 0,
            "summaries": 0,
            "first_at": alert.first_at,
            "last_at": alert.last_at,
            "opened_at": now,
            "next_summary_at": next_summary_at,
        }
        statement = insert_or(self.connection, ALERTS).values(row)
        higher = ALERTS.c.level > alert.level
        counted = statement.on_conflict_do_update(
            index_elements=["open_fingerprint"],
            set_={
                "count": ALERTS.c.count + alert.count,
                "first_at": case((ALERTS.c.first_at > alert.first_at, alert.first_at), else_=ALERTS.c.first_at),
                "last_at": case((ALERTS.c.last_at < alert.last_at, alert.last_at), else_=ALERTS.c.last_at),
                "headline": case((higher, ALERTS.c.headline), else_=alert.headline),
                "facts": case((higher, ALERTS.c.facts), else_=statement.excluded.facts),
                "figures": case((higher, ALERTS.c.figures), else_=statement.excluded.figures),
            },
        ).returning(ALERTS)
        raised = _open_alert(self.connection.execute(counted).one(), opened_as=own_id)
        return raised if raised.level >= alert.level else self._rise(raised, alert)

    def _rise(self, raised: OpenAlert, alert: Alert) -> OpenAlert:
        """Bring an alert to a higher level; its row is locked by the statement that counted."""
        higher = update(ALERTS).where(ALERTS.c.id == raised.id, ALERTS.c.level < alert.level)
        self.connection.execute(higher.values(level=alert.level, severity=alert.severity.value))
        return replace(raised, level=alert.level, severity=alert.severity, rose=True)

    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        """Keep occurrences by name; ``total`` is the alert's count after they were added."""
        first = total - len(members)
        rows = [{"alert_id": alert_id, "position": first + n, "member": name} for n, name in enumerate(members)]
        if rows:
            self.connection.execute(insert_or(self.connection, MEMBERS).on_conflict_do_nothing(), rows)

    def members_since(self, alert_id: str, told: int, limit: int) -> tuple[str, ...]:
        """Give the first members that no message has named yet."""
        statement = (
            select(MEMBERS.c.member)
            .where(MEMBERS.c.alert_id == alert_id, MEMBERS.c.position >= told)
            .order_by(MEMBERS.c.position)
            .limit(limit)
        )
        return tuple(self.connection.execute(statement).scalars())

    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        """Add to how an alert's occurrences divide."""
        named = sorted(parts.items())
        self._add(PARTS, [{"alert_id": alert_id, "part": part, "count": count, "told": 0} for part, count in named])

    def attach(self, alert_id: str, attachments: Sequence[Attachment]) -> None:
        """Keep the files that go with an alert's messages."""
        if attachments:
            rows = [{"alert_id": alert_id, **attachment.model_dump()} for attachment in attachments]
            self.connection.execute(insert_or(self.connection, ATTACHMENTS).values(rows))

    def take_parts(self, alert_id: str) -> dict[str, int]:
        """Give how the occurrences divide that no message has divided yet, and count them as told."""
        own = PARTS.c.alert_id == alert_id
        untold = select(PARTS.c.part, PARTS.c.count - PARTS.c.told).where(own, PARTS.c.count > PARTS.c.told)
        parts = {row[0]: row[1] for row in self.connection.execute(untold)}
        if parts:
            self.connection.execute(update(PARTS).where(own).values(told=PARTS.c.count))
        return parts

    def mute(self, alert_id: str, muted_by: str, *, look_again_at: datetime) -> None:
        """Record what mutes a condition of which nobody was told; `told` ends it."""
        values = {"muted_by": muted_by, "next_summary_at": look_again_at}
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(values))

    def withhold(self, alert_id: str, reason: str) -> None:
        """Record why a message reached nobody."""
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(withheld_by=reason))

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set when to remind of an open condition, unless it was acknowledged."""
        statement = update(ALERTS).where(ALERTS.c.id == alert_id, ALERTS.c.acked_at.is_(None))
        self.connection.execute(statement.values(repeat_at=moment))

    def silences(self, *, now: datetime) -> list[Silence]:
        """Give the silences that are in force."""
        statement = select(SILENCES).where(SILENCES.c.starts_at <= now, SILENCES.c.ends_at > now)
        return [read_silence(row) for row in self.connection.execute(statement)]

    def open_conditions(self) -> list[OpenCondition]:
        """Give the open conditions, which may mute others."""
        statement = select(ALERTS).where(ALERTS.c.open_fingerprint.is_not(None), ALERTS.c.kind == Kind.CONDITION.value)
        found = (_open_alert(row) for row in self.connection.execute(statement))
        return [OpenCondition(alert.id, alert.routing_labels) for alert in found]

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Give the open generation of an alert, locked."""
        statement = select(ALERTS).where(ALERTS.c.open_fingerprint == fingerprint).with_for_update()
        row = self.connection.execute(statement).first()
        return _open_alert(row) if row is not None else None

    def mark_broken(self, channel: str, *, now: datetime) -> bool:
        """Note that a channel's trouble is announced; false when it was before."""
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_(None))
        return self.connection.execute(statement.values(broken_at=now)).rowcount == 1

    def mark_well(self, channel: str) -> bool:
        """Note that a channel's trouble is over; false when none was announced."""
        statement = update(LANES).where(LANES.c.channel == channel, LANES.c.broken_at.is_not(None))
        return self.connection.execute(statement.values(broken_at=None)).rowcount == 1

    def told_channels(self, alert_id: str) -> tuple[str, ...]:
        """Name the channels that were, or will be, told of an alert."""
        statement = select(NOTIFICATIONS.c.channel).where(
            NOTIFICATIONS.c.alert_id == alert_id, NOTIFICATIONS.c.status.not_in(["dead", "dropped"])
        )
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

    def end_trials(self, alert_ids: Sequence[str], *, now: datetime) -> dict[str, Fate]:
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

    def told(self, alert_id: str, *, count: int, next_summary_at: datetime) -> None:
        """Record up to which count the alert was told, and when to look at it again."""
        self._told(alert_id, count, {"next_summary_at": next_summary_at})

    def close(self, alert_id: str, *, count: int, now: datetime) -> None:
        """Close the alert, told up to this count; its fingerprint may open again."""
        self._told(alert_id, count, {"open_fingerprint": None, "closed_at": now})

    def _told(self, alert_id: str, count: int, more: Mapping[str, Any]) -> None:
        values = {"told": count, "summaries": ALERTS.c.summaries + 1, "muted_by": None, **more}
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(values))

    def due_alerts(self, *, now: datetime) -> list[OpenAlert]:
        """Give open alerts that are due (summary, reminder, muted), and hanging ones that are over; locked."""
        running = select(CALLS.c.call_id).where(CALLS.c.alert_id == ALERTS.c.id, CALLS.c.ended_at.is_(None)).exists()
        hanging = (ALERTS.c.type == AlertType.LLM_REQUESTS_HANGING.value) & (ALERTS.c.kind == Kind.CONDITION.value)
        over = hanging & ~running
        statement = (
            select(ALERTS)
            .where(
                ALERTS.c.open_fingerprint.is_not(None),
                (ALERTS.c.next_summary_at <= now) | (ALERTS.c.repeat_at <= now) | over,
            )
            .order_by(ALERTS.c.fingerprint)
            .with_for_update(skip_locked=True)
        )
        return [self._with_calls(row) for row in self.connection.execute(statement).all()]

    def _with_calls(self, row: Any) -> OpenAlert:
        if row.type != AlertType.LLM_REQUESTS_HANGING.value:
            return _open_alert(row)
        counted = func.count().label("calls")
        statement = select(CALLS.c.outcome, counted).where(CALLS.c.alert_id == row.id).group_by(CALLS.c.outcome)
        outcomes: dict[str | None, int] = {found.outcome: found.calls for found in self.connection.execute(statement)}
        running = outcomes.pop(None, 0)
        return _open_alert(row, running=running, outcomes={str(name): n for name, n in outcomes.items()})


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


def read_silence(row: Any) -> Silence:
    """Read a silence from its row."""
    matchers = tuple(parse(text) for text in row.matchers)
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.author, row.reason)


def _open_alert(
    row: Any, *, opened_as: str | None = None, running: int = 0, outcomes: Mapping[str, int] | None = None
) -> OpenAlert:
    return OpenAlert(
        id=row.id,
        type=AlertType(row.type),
        severity=Severity(row.severity),
        headline=row.headline,
        labels=row.labels,
        facts=row.facts,
        metadata=row.metadata,
        figures=BudgetFigures.model_validate(row.figures) if row.figures else None,
        tables=tuple(Table.model_validate(table) for table in row.tables or ()),
        chart=Chart.model_validate(row.chart) if row.chart else None,
        count=row.count,
        told=row.told,
        summaries=row.summaries,
        first_at=row.first_at,
        last_at=row.last_at,
        fingerprint=row.fingerprint,
        muted_by=row.muted_by,
        repeat_at=row.repeat_at,
        level=row.level,
        opened=row.id == opened_as,
        running=running,
        outcomes=outcomes or {},
    )
