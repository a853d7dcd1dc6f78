"""What one transaction can do. Tables are written in one global order, keys sorted, so that workers rarely deadlock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from alertworker.alerts import Alert, AlertType, Kind, OpenAlert, Severity
from alertworker.events import PublisherEvent, PublisherHeartbeat, PublisherStopped, RequestAnnounced
from alertworker.events.base import new_id
from alertworker.folding import Fold, SpendKey, SpendSums, WindowKey, WindowSums
from alertworker.inhibitions import OpenCondition
from alertworker.matchers import parse
from alertworker.messages import Message
from alertworker.ports import LostPublisher
from alertworker.silences import Silence
from alertworker.store.tables import (
    ALERTS,
    BATCHES,
    CALLS,
    COUNTERS,
    DEAD_LETTERS,
    LINE,
    MEMBERS,
    NOTIFICATIONS,
    PUBLISHERS,
    REDELIVERIES,
    SILENCES,
    SPEND,
    WINDOWS,
)

#: The largest piece of a payload that a dead letter keeps, in bytes.
_MAX_PAYLOAD = 16 * 1024 * 1024


def insert_or(connection: Connection, table: Table) -> Any:
    """Give the dialect's INSERT, which knows ON CONFLICT."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


class SqlTransaction:
    """One open transaction on SQLite or PostgreSQL."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def claim_batch(self, batch_id: str, producer: str, events: int, *, now: datetime) -> bool:
        """Insert the batch's id; false when it was applied before."""
        row = {"batch_id": batch_id, "producer": producer, "events": events, "applied_at": now}
        statement = insert_or(self.connection, BATCHES).values(row).on_conflict_do_nothing()
        if self.connection.execute(statement.returning(BATCHES.c.batch_id)).first() is None:
            return False
        self.connection.execute(delete(REDELIVERIES).where(REDELIVERIES.c.batch_id == batch_id))
        return True

    def add_fold(self, fold: Fold) -> None:
        """Add a batch's sums to spend and windows."""
        self._add(SPEND, [_row(key, fold.spend[key]) for key in sorted(fold.spend)])
        self._add(WINDOWS, [_row(key, fold.windows[key]) for key in sorted(fold.windows)])

    def hear_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Keep what publishers said of themselves; a late heartbeat does not undo a goodbye."""
        for event in sorted(events, key=lambda event: event.boot_id):
            beat = event if isinstance(event, PublisherHeartbeat) else None
            row: dict[str, Any] = {
                "host": event.host,
                "pid": event.pid,
                "heard_at": event.occurred_at,
                "arrived_at": now,
                "interval_seconds": max(1, round(beat.interval_seconds)) if beat else 10,
                "backlog": beat.backlog if beat else 0,
                "counters": event.counters.model_dump(),
            }
            if isinstance(event, PublisherStopped):
                row["stopped_at"] = event.occurred_at
            statement = insert_or(self.connection, PUBLISHERS).values(boot_id=event.boot_id, **row)
            self.connection.execute(statement.on_conflict_do_update(index_elements=["boot_id"], set_=row))

    def mark_line(self, name: str, at: datetime) -> None:
        """Move a named moment of the line forward, never back."""
        statement = insert_or(self.connection, LINE).values(name=name, at=at)
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"at": at}, where=LINE.c.at < at)
        )

    def line(self, name: str) -> datetime | None:
        """Give a named moment of the line."""
        return self.connection.execute(select(LINE.c.at).where(LINE.c.name == name)).scalar()

    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        """Track announced calls; gives the ids of those that are new and have not ended."""
        fresh: set[str] = set()
        for call in sorted(calls, key=lambda call: call.call_id):
            row = {"call_id": call.call_id, "boot_id": call.boot_id, "announced_at": call.occurred_at}
            statement = insert_or(self.connection, CALLS).values(row).on_conflict_do_nothing()
            if self.connection.execute(statement.returning(CALLS.c.call_id)).first() is not None:
                fresh.add(call.call_id)
        return fresh

    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        """Say which alert speaks for these calls."""
        ids = sorted(call_ids)
        self.connection.execute(update(CALLS).where(CALLS.c.call_id.in_(ids)).values(alert_id=alert_id))

    def end_calls(self, calls: Mapping[str, tuple[str, datetime]]) -> None:
        """Record outcome and end per call id; also for calls whose announcement is still on its way."""
        for call_id, (outcome, ended_at) in sorted(calls.items()):
            values = {"outcome": outcome, "ended_at": ended_at}
            statement = insert_or(self.connection, CALLS).values(call_id=call_id, **values)
            self.connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["call_id"], set_=values, where=CALLS.c.ended_at.is_(None)
                )
            )

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement; gives the row as it then stands."""
        own_id = str(new_id())
        row: dict[str, Any] = {
            "id": own_id,
            "fingerprint": alert.fingerprint,
            "open_fingerprint": alert.fingerprint,
            "type": alert.type.value,
            "kind": alert.kind.value,
            "severity": alert.severity.value,
            "headline": alert.headline,
            "labels": dict(alert.identity) | dict(alert.labels),
            "facts": dict(alert.facts),
            "metadata": dict(alert.metadata),
            "count": alert.count,
            "told": 0,
            "summaries": 0,
            "first_at": alert.first_at,
            "last_at": alert.last_at,
            "opened_at": now,
            "next_summary_at": next_summary_at,
        }
        statement = insert_or(self.connection, ALERTS).values(row)
        counted = statement.on_conflict_do_update(
            index_elements=["open_fingerprint"],
            set_={
                "count": ALERTS.c.count + alert.count,
                "last_at": alert.last_at,
                "headline": alert.headline,
                "facts": statement.excluded.facts,
            },
        ).returning(ALERTS)
        return _open_alert(self.connection.execute(counted).one(), opened_as=own_id)

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

    def mute(self, alert_id: str, muted_by: str, *, look_again_at: datetime) -> None:
        """Record what mutes a condition of which nobody was told; `told` ends it."""
        values = {"muted_by": muted_by, "next_summary_at": look_again_at}
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(values))

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

    def told_channels(self, alert_id: str) -> tuple[str, ...]:
        """Name the channels that were, or will be, told of an alert."""
        statement = select(NOTIFICATIONS.c.channel).where(
            NOTIFICATIONS.c.alert_id == alert_id, NOTIFICATIONS.c.status.not_in(["dead", "dropped"])
        )
        return tuple(self.connection.execute(statement.distinct().order_by(NOTIFICATIONS.c.channel)).scalars())

    def notify(self, message: Message, step: str, channels: Iterable[str], *, now: datetime) -> None:
        """Write a notification per channel; one that is there already stays as it is."""
        for channel in sorted(channels):
            row = {
                "id": str(new_id()),
                "alert_id": message.alert_id,
                "step": step,
                "channel": channel,
                "status": "pending",
                "message": message.model_dump_json(),
                "attempts": 0,
                "created_at": now,
                "next_attempt_at": now,
            }
            self.connection.execute(insert_or(self.connection, NOTIFICATIONS).values(row).on_conflict_do_nothing())

    def told(self, alert_id: str, *, count: int, next_summary_at: datetime | None) -> None:
        """Record up to which count the alert was told; without a next summary the alert is closed."""
        values: dict[str, Any] = {"told": count, "summaries": ALERTS.c.summaries + 1, "muted_by": None}
        if next_summary_at is None:
            values |= {"open_fingerprint": None, "closed_at": func.coalesce(ALERTS.c.closed_at, ALERTS.c.last_at)}
        else:
            values |= {"next_summary_at": next_summary_at}
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(values))

    def due_alerts(self, *, now: datetime) -> list[OpenAlert]:
        """Give open alerts that are due (summary, reminder, muted), and hanging ones that are over; locked."""
        running = select(CALLS.c.call_id).where(CALLS.c.alert_id == ALERTS.c.id, CALLS.c.ended_at.is_(None)).exists()
        over = (ALERTS.c.type == AlertType.LLM_REQUESTS_HANGING.value) & ~running
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

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, now: datetime
    ) -> list[LostPublisher]:
        """Mark publishers lost that were last heard before ``silent_since``, and end their announced calls."""
        statement = (
            update(PUBLISHERS)
            .where(
                PUBLISHERS.c.arrived_at < silent_since,
                PUBLISHERS.c.arrived_at < canary_sent_at,
                PUBLISHERS.c.stopped_at.is_(None),
                PUBLISHERS.c.lost_at.is_(None),
            )
            .values(lost_at=now)
            .returning(PUBLISHERS.c.boot_id, PUBLISHERS.c.host, PUBLISHERS.c.pid, PUBLISHERS.c.heard_at)
        )
        lost = []
        for row in self.connection.execute(statement).all():
            ended = self.connection.execute(
                update(CALLS)
                .where(CALLS.c.boot_id == row.boot_id, CALLS.c.ended_at.is_(None))
                .values(ended_at=now, outcome="proxy gone")
            )
            lost.append(LostPublisher(row.boot_id, row.host, row.pid, row.heard_at, ended.rowcount))
        return lost

    def dead_letter(
        self, kind: str, reason: str, payload: bytes, *, batch_id: str | None, position: int | None, now: datetime
    ) -> None:
        """Keep what nobody will retry."""
        row = {
            "id": str(new_id()),
            "kind": kind,
            "reason": reason[:2_000],
            "batch_id": batch_id,
            "position": position,
            "payload": payload[:_MAX_PAYLOAD],
            "created_at": now,
        }
        self.connection.execute(insert_or(self.connection, DEAD_LETTERS).values(row))
        self.count("dead_letters", kind)

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        if by:
            self._add(COUNTERS, [{"name": name, "label": label, "value": by}])

    def prune(self, *, before: datetime) -> None:
        """Forget applied batches, ended calls, told members and old windows from before that moment."""
        closed = select(ALERTS.c.id).where(ALERTS.c.closed_at < before)
        self.connection.execute(delete(BATCHES).where(BATCHES.c.applied_at < before))
        self.connection.execute(delete(CALLS).where(CALLS.c.ended_at < before))
        self.connection.execute(delete(MEMBERS).where(MEMBERS.c.alert_id.in_(closed)))
        self.connection.execute(delete(WINDOWS).where(WINDOWS.c.bucket < int(before.timestamp())))

    def _with_calls(self, row: Any) -> OpenAlert:
        if row.type != AlertType.LLM_REQUESTS_HANGING.value:
            return _open_alert(row)
        counted = func.count().label("calls")
        statement = select(CALLS.c.outcome, counted).where(CALLS.c.alert_id == row.id).group_by(CALLS.c.outcome)
        outcomes: dict[str | None, int] = {found.outcome: found.calls for found in self.connection.execute(statement)}
        running = outcomes.pop(None, 0)
        return _open_alert(row, running=running, outcomes={str(name): n for name, n in outcomes.items()})

    def _add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, adding the sums to those that are there."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        statement = insert_or(self.connection, table)
        sums = {column.name: column + statement.excluded[column.name] for column in table.c if column.name not in keys}
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=sums), list(rows))


def read_silence(row: Any) -> Silence:
    """Read a silence from its row."""
    matchers = tuple(parse(text) for text in row.matchers)
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.author, row.reason)


def _row(key: SpendKey | WindowKey, sums: SpendSums | WindowSums) -> dict[str, Any]:
    return key._asdict() | {field.name: getattr(sums, field.name) for field in fields(sums)}


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
        count=row.count,
        told=row.told,
        summaries=row.summaries,
        first_at=row.first_at,
        last_at=row.last_at,
        fingerprint=row.fingerprint,
        muted_by=row.muted_by,
        repeat_at=row.repeat_at,
        opened=row.id == opened_as,
        running=running,
        outcomes=outcomes or {},
    )
