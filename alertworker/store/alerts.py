"""Alerts in SQL: generations, members, and the number of occurrences that messages have counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, select, union_all, update

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import AlertType, Kind
from alertworker.alerts.stored import StoredReader
from alertworker.alerts.suppression import Suppression
from alertworker.alerts.tables import Attachment
from alertworker.events.base import new_id
from alertworker.store.inhibitions import InhibitionStatements
from alertworker.store.schema.alerts import ALERTS, ATTACHMENTS, KNOWN_TYPE, MEMBERS, OPEN, PARTS
from alertworker.store.schema.publishers import CALLS
from alertworker.store.silences import SilenceStatements
from alertworker.store.upsert import insert_or

_log: Final = logging.getLogger("alertworker.alerts")


class AlertStatements(SilenceStatements, InhibitionStatements):
    """Statements that claim, change and query alerts."""

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement. Return the row after that.

        An alert of a lower level than the row's is counted, but keeps the row's headline, facts, figures and metadata.
        Empty metadata replaces nothing.
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
            "notified_count": 0,
            "summaries": 0,
            "first_at": alert.first_at,
            "last_at": alert.last_at,
            "opened_at": now,
            "next_summary_at": next_summary_at,
        }
        statement = insert_or(self.connection, ALERTS).values(row)
        words = ("headline", "facts", "figures", "metadata") if alert.metadata else ("headline", "facts", "figures")
        higher = ALERTS.c.level > alert.level
        counted = statement.on_conflict_do_update(
            index_elements=["open_fingerprint"],
            set_={
                "count": ALERTS.c.count + alert.count,
                "first_at": case((ALERTS.c.first_at > alert.first_at, alert.first_at), else_=ALERTS.c.first_at),
                "last_at": case((ALERTS.c.last_at < alert.last_at, alert.last_at), else_=ALERTS.c.last_at),
                **{name: case((higher, ALERTS.c[name]), else_=statement.excluded[name]) for name in words},
            },
        ).returning(ALERTS)
        raised = self._open_alert(self.connection.execute(counted).one(), opened_as=own_id)
        if raised.opened and raised.kind is Kind.CONDITION:  # a notice inhibits nothing
            self.forget_sources()
        return raised if raised.level >= alert.level else self._rise(raised, alert)

    def _rise(self, raised: OpenAlert, alert: Alert) -> OpenAlert:
        """Raise an alert to a higher level. The statement that counted has locked its row.

        The acknowledgement was of the lower level, so it ends.
        """
        self.forget_sources()
        higher = update(ALERTS).where(ALERTS.c.id == raised.id, ALERTS.c.level < alert.level)
        values = {"level": alert.level, "severity": alert.severity.value}
        self.connection.execute(higher.values(**values, acked_at=None, acked_by=None, ack_note=None))
        return replace(raised, level=alert.level, severity=alert.severity, rose=True)

    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        """Store the names of occurrences. ``total`` is the alert's count after they were added."""
        first = total - len(members)
        rows = [{"alert_id": alert_id, "position": first + n, "member": name} for n, name in enumerate(members)]
        if rows:
            self.connection.execute(insert_or(self.connection, MEMBERS).on_conflict_do_nothing(), rows)

    def members_since(self, alert_id: str, position: int, limit: int) -> tuple[str, ...]:
        """Return the first members from a position on: the number of occurrences that messages have counted."""
        statement = (
            select(MEMBERS.c.member)
            .where(MEMBERS.c.alert_id == alert_id, MEMBERS.c.position >= position)
            .order_by(MEMBERS.c.position)
            .limit(limit)
        )
        return tuple(self.connection.execute(statement).scalars())

    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        """Add to an alert's occurrences by team."""
        named = sorted(parts.items())
        self._add(
            PARTS, [{"alert_id": alert_id, "part": part, "count": count, "notified_count": 0} for part, count in named]
        )

    def attach(self, alert_id: str, attachments: Sequence[Attachment]) -> None:
        """Store the files that belong to an alert's messages."""
        if attachments:
            rows = [{"alert_id": alert_id, **attachment.model_dump()} for attachment in attachments]
            self.connection.execute(insert_or(self.connection, ATTACHMENTS).values(rows))

    def take_parts(self, alert_id: str) -> dict[str, int]:
        """Return the occurrences by team that no message has counted yet, and mark them as counted."""
        own = PARTS.c.alert_id == alert_id
        uncounted = select(PARTS.c.part, PARTS.c.count - PARTS.c.notified_count).where(
            own, PARTS.c.count > PARTS.c.notified_count
        )
        parts = {row[0]: row[1] for row in self.connection.execute(uncounted)}
        if parts:
            self.connection.execute(update(PARTS).where(own).values(notified_count=PARTS.c.count))
        return parts

    def suppress(self, alert_id: str, suppression: Suppression, *, check_again_at: datetime) -> None:
        """Record what suppresses the firing message of a condition, until `record_notified`."""
        values = {"suppressed_by": str(suppression), "next_summary_at": check_again_at}
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(values))

    def check_again(self, alert_ids: Sequence[str], *, at: datetime) -> None:
        """Set when to check again whether these conditions are still suppressed."""
        if alert_ids:
            statement = update(ALERTS).where(ALERTS.c.id.in_(alert_ids))
            self.connection.execute(statement.values(next_summary_at=at))

    def defer_channels(self, alert_id: str, channels: Sequence[str]) -> None:
        """Record which channels are mute at this hour and still have to be notified of an open condition."""
        self.connection.execute(
            update(ALERTS).where(ALERTS.c.id == alert_id).values(deferred_channels=list(channels) or None)
        )

    def deferred_alerts(self, *, after: str, limit: int) -> list[OpenAlert]:
        """Return open conditions that have deferred channels and are not suppressed, locked, by fingerprint."""
        deferred = (
            OPEN
            & ALERTS.c.deferred_channels.is_not(None)
            & ALERTS.c.suppressed_by.is_(None)
            & (ALERTS.c.fingerprint > after)
        )
        statement = select(ALERTS).where(deferred, KNOWN_TYPE).order_by(ALERTS.c.fingerprint).limit(limit)
        rows = self.connection.execute(statement.with_for_update(skip_locked=True)).all()
        return [self._open_alert(row) for row in rows]

    def record_suppressed(self, alert_id: str, suppression: Suppression) -> None:
        """Record why a message was sent to no channel."""
        self.connection.execute(
            update(ALERTS).where(ALERTS.c.id == alert_id).values(last_suppressed_by=str(suppression))
        )

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set the time of the next reminder of an open condition, unless it was acknowledged."""
        statement = update(ALERTS).where(ALERTS.c.id == alert_id, ALERTS.c.acked_at.is_(None))
        self.connection.execute(statement.values(repeat_at=moment))

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Return the open generation of an alert, locked, or ``None`` if none is open."""
        statement = select(ALERTS).where(ALERTS.c.open_fingerprint == fingerprint).with_for_update()
        row = self.connection.execute(statement).first()
        return self._open_alert(row) if row is not None else None

    def find_all_open(self, fingerprints: Iterable[str]) -> dict[str, OpenAlert]:
        """Return the open generations of these alerts by fingerprint, locked, by one statement."""
        wanted = ALERTS.c.open_fingerprint.in_(sorted(fingerprints))
        statement = select(ALERTS).where(wanted).order_by(ALERTS.c.open_fingerprint).with_for_update()
        return {row.open_fingerprint: self._open_alert(row) for row in self.connection.execute(statement).all()}

    def last_closed(self, fingerprint: str) -> datetime | None:
        """Return when the newest closed generation was closed, or ``None`` if none was."""
        statement = select(func.max(ALERTS.c.closed_at)).where(ALERTS.c.fingerprint == fingerprint)
        return self.connection.execute(statement).scalar()

    def record_notified(self, alert_id: str, *, count: int, next_summary_at: datetime, now: datetime) -> None:
        """Record how many occurrences messages have counted, and when to check the alert again."""
        self._record(alert_id, count, {"notified_at": now, "next_summary_at": next_summary_at})

    def close(self, alert_id: str, *, count: int, now: datetime, facts: Mapping[str, str] | None = None) -> None:
        """Close the alert, with this many occurrences counted and its last facts. Its fingerprint may open again."""
        self.forget_sources()
        last = {} if facts is None else {"facts": dict(facts)}
        self._record(alert_id, count, {"open_fingerprint": None, "closed_at": now, **last})

    def _record(self, alert_id: str, count: int, more: Mapping[str, Any]) -> None:
        values = {"notified_count": count, "summaries": ALERTS.c.summaries + 1, "suppressed_by": None, **more}
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(values))

    def due_alerts(self, *, limit: int, now: datetime) -> list[OpenAlert]:
        """Return open alerts that are due, and those about hanging calls that have all ended. All are locked.

        Alerts of unknown types are left to the newer version that raised them.
        """
        # The condition is on the outcome and not on the end: without statistics a planner would use the end's index for
        # every alert.
        running = select(CALLS.c.call_id).where(CALLS.c.alert_id == ALERTS.c.id, CALLS.c.outcome.is_(None)).exists()
        hanging = (ALERTS.c.type == AlertType.LLM_REQUESTS_HANGING.value) & (ALERTS.c.kind == Kind.CONDITION.value)
        due, known = select(ALERTS.c.id), OPEN & KNOWN_TYPE
        # One query per reason, so that each uses its own index of open alerts.
        reasons = (
            due.where(known, ALERTS.c.next_summary_at <= now).order_by(ALERTS.c.next_summary_at),
            due.where(known, ALERTS.c.repeat_at <= now).order_by(ALERTS.c.repeat_at),
            due.where(OPEN, hanging, ~running),
        )
        found = [reason.limit(limit) for reason in reasons]
        ids = union_all(*(select(one.subquery().c.id) for one in found))
        statement = select(ALERTS).where(OPEN, ALERTS.c.id.in_(ids)).order_by(ALERTS.c.fingerprint)
        return self._with_calls(self.connection.execute(statement.with_for_update(skip_locked=True)).all())

    def report_unknown_types(self) -> None:
        """Count the open alerts whose type only a newer version knows, and warn about them."""
        unknown = select(ALERTS.c.type, func.count()).where(OPEN, ~KNOWN_TYPE).group_by(ALERTS.c.type)
        for name, count in self.connection.execute(unknown).all():
            _log.warning("%s open alerts of unknown type %s are left to a newer version", count, name)
            self.count("unknown_values", f"alert type {name}", count)

    def _with_calls(self, rows: Sequence[Any]) -> list[OpenAlert]:
        """Return alerts. Those about hanging calls have the outcomes of their calls."""
        hanging = [row.id for row in rows if row.type == AlertType.LLM_REQUESTS_HANGING.value]
        calls: dict[str, list[Any]] = {}
        if hanging:
            columns = (CALLS.c.alert_id, CALLS.c.outcome)
            sums = select(*columns, func.count().label("calls"), func.max(CALLS.c.ended_at).label("ended_at"))
            for row in self.connection.execute(sums.where(CALLS.c.alert_id.in_(hanging)).group_by(*columns)):
                calls.setdefault(row.alert_id, []).append(row)
        return [
            replace(
                self._open_alert(row),
                running=sum(one.calls for one in calls.get(row.id, ()) if one.outcome is None),
                outcomes={one.outcome: one.calls for one in calls.get(row.id, ()) if one.outcome is not None},
                ended_at=max((one.ended_at for one in calls.get(row.id, ()) if one.ended_at is not None), default=None),
            )
            for row in rows
        ]

    def count_members(self, alert_id: str) -> int:
        """Return how many of an alert's occurrences are stored by name."""
        statement = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.alert_id == alert_id)
        return self.connection.execute(statement).scalar_one()

    def raised(self, fingerprints: Iterable[str]) -> set[str]:
        """Return which of these alerts were ever raised, open or closed."""
        statement = select(ALERTS.c.fingerprint).where(ALERTS.c.fingerprint.in_(sorted(fingerprints))).distinct()
        return set(self.connection.execute(statement).scalars())

    def _open_alert(self, row: Any, *, opened_as: str | None = None) -> OpenAlert:
        """Read an alert of a known type. Values that only a newer version knows are counted and replaced."""
        stored = StoredReader()
        alert = OpenAlert(
            id=row.id,
            type=AlertType(row.type),
            severity=stored.severity(row.severity),
            headline=row.headline,
            labels=row.labels,
            facts=row.facts,
            metadata=row.metadata,
            figures=stored.figures(row.figures),
            tables=stored.tables(row.tables),
            chart=stored.chart(row.chart),
            count=row.count,
            notified_count=row.notified_count,
            notified_at=row.notified_at,
            summaries=row.summaries,
            first_at=row.first_at,
            last_at=row.last_at,
            fingerprint=row.fingerprint,
            suppression=Suppression.parse(row.suppressed_by) if row.suppressed_by is not None else None,
            deferred_channels=tuple(row.deferred_channels or ()),
            repeat_at=row.repeat_at,
            level=row.level,
            opened=row.id == opened_as,
        )
        self.count_unknown(stored)
        return alert
