"""Alerts in SQL: generations, members, and the number of occurrences that messages have counted."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Executable, bindparam, func, select, union_all, update
from typing_extensions import override

from alertworker.alerts.alert import Alert, OpenAlert, Subject
from alertworker.alerts.catalogue import AlertKind, AlertType, Severity
from alertworker.alerts.stored import StoredReader
from alertworker.alerts.suppression import Suppression
from alertworker.events.base import new_id
from alertworker.ports.alert_search import AlertRow
from alertworker.ports.alerts import AlertPort
from alertworker.ports.batches import CounterName
from alertworker.ports.hanging import CallOutcome
from alertworker.store.alert_rows import ROW, headline_columns, open_alert, open_or_count, opened_row
from alertworker.store.connection import read_rows
from alertworker.store.inhibitions import InhibitionStatements
from alertworker.store.schema.alerts import ALERTS, KNOWN_TYPE, OPEN
from alertworker.store.schema.inhibitions import LabelValue
from alertworker.store.schema.publishers import CALLS
from alertworker.store.sums import fitted
from alertworker.store.upsert import Statements

_log: Final = logging.getLogger(__name__)
#: The statements that run for each alert of a batch are built once.
_CHANGE: Final = update(ALERTS).where(ALERTS.c.id == bindparam("own_id"))
_CHANGE_WITH_SUMMARY: Final = _CHANGE.values(summaries=ALERTS.c.summaries + 1)
_REMIND: Final = _CHANGE.where(ALERTS.c.acked_at.is_(None))
_RISE: Final = _CHANGE.where(ALERTS.c.level < bindparam("new_level"))
_WANTED: Final = select(*ROW).where(ALERTS.c.open_fingerprint.in_(bindparam("fingerprints", expanding=True)))
_WANTED_LOCKED: Final = _WANTED.order_by(ALERTS.c.open_fingerprint).with_for_update()
_LAST_CLOSED: Final = select(func.max(ALERTS.c.closed_at)).where(ALERTS.c.fingerprint == bindparam("own_fingerprint"))


class _EndedCalls(NamedTuple):
    """How many calls of a hanging alert had an outcome, and when the last of them ended; ``None`` if they run."""

    outcome: CallOutcome | None
    calls: int
    ended_at: datetime | None


class AlertStatements(Statements, AlertPort):
    """Statements that claim, change and query alerts.

    A change of a condition makes ``inhibitions`` read its sources again.
    """

    def __init__(self, connection: Connection, inhibitions: InhibitionStatements) -> None:
        super().__init__(connection)
        self._inhibitions = inhibitions

    @override
    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        own_id = str(new_id())
        row = opened_row(own_id, alert, next_summary_at=next_summary_at, now=now)
        statement = open_or_count(self.connection.dialect.name, has_metadata=bool(alert.metadata))
        (found,) = self._rows(statement, fitted(ALERTS, row))
        raised = self._open_alert(found, opened_as=own_id)
        if raised.opened and raised.kind is AlertKind.CONDITION:  # a notice inhibits nothing
            self._inhibitions.forget_sources()
        return raised if raised.level >= alert.level else self._rise(raised, alert)

    def _rise(self, raised: OpenAlert, alert: Alert) -> OpenAlert:
        """Raise an alert to a higher level. The statement that counted has locked its row.

        The acknowledgement was of the lower level, so it ends.
        """
        self._inhibitions.forget_sources()
        values = {"level": alert.level, "severity": alert.severity.value}
        acknowledged = {"acked_at": None, "acked_by": None, "ack_note": None}
        self.connection.execute(_RISE, {"own_id": raised.id, "new_level": alert.level, **values, **acknowledged})
        return replace(raised, level=alert.level, severity=alert.severity, rose=True)

    @override
    def suppress(self, alert_id: str, suppression: Suppression, *, check_again_at: datetime) -> None:
        self._inhibitions.forget_sources()
        self._change(alert_id, {"suppressed_by": str(suppression), "next_summary_at": check_again_at})

    @override
    def check_again(self, alert_ids: Sequence[str], *, at: datetime) -> None:
        if alert_ids:
            statement = update(ALERTS).where(ALERTS.c.id.in_(alert_ids))
            self.connection.execute(statement.values(next_summary_at=at))

    @override
    def defer_channels(self, alert_id: str, channels: Sequence[str]) -> None:
        self._change(alert_id, {"deferred_channels": list(channels) or None})

    @override
    def deferred_alerts(self, *, after: str, limit: int) -> list[OpenAlert]:
        deferred = (
            OPEN
            & ALERTS.c.deferred_channels.is_not(None)
            & ALERTS.c.suppressed_by.is_(None)
            & (ALERTS.c.fingerprint > after)
        )
        statement = select(*ROW).where(deferred, KNOWN_TYPE).order_by(ALERTS.c.fingerprint).limit(limit)
        return [self._open_alert(row) for row in self._rows(statement.with_for_update(skip_locked=True))]

    @override
    def labelled_alerts(self, label: str, values: Collection[str], types: Iterable[AlertType]) -> Sequence[str]:
        of_types = ALERTS.c.type.in_([one.value for one in types])
        named = LabelValue(ALERTS.c.labels, label).in_(sorted(values))
        statement = select(ALERTS.c.fingerprint).where(OPEN, of_types, named)
        return list(self.connection.execute(statement.order_by(ALERTS.c.fingerprint)).scalars())

    @override
    def relabel(self, alert_id: str, labels: Mapping[str, str]) -> None:
        self._inhibitions.forget_sources()
        self._change(alert_id, {"labels": dict(labels)})

    @override
    def record_suppressed(self, alert_id: str, suppression: Suppression) -> None:
        self._change(alert_id, {"last_suppressed_by": str(suppression)})

    @override
    def remind_at(self, alert_id: str, moment: datetime) -> None:
        self.connection.execute(_REMIND, {"own_id": alert_id, "repeat_at": moment})

    @override
    def still_open(self, alert_ids: Collection[str]) -> set[str]:
        if not alert_ids:
            return set()
        return set(
            self.connection.execute(select(ALERTS.c.id).where(OPEN, ALERTS.c.id.in_(sorted(alert_ids)))).scalars()
        )

    @override
    def find_open(self, fingerprint: str) -> OpenAlert | None:
        return self.find_all_open([fingerprint]).get(fingerprint)

    @override
    def find_all_open(self, fingerprints: Iterable[str]) -> dict[str, OpenAlert]:
        return self._open(_WANTED_LOCKED, fingerprints)

    @override
    def read_open(self, fingerprints: Collection[str]) -> dict[str, OpenAlert]:
        return self._open(_WANTED, fingerprints)

    @override
    def last_closed(self, fingerprint: str) -> datetime | None:
        return self.connection.execute(_LAST_CLOSED, {"own_fingerprint": fingerprint}).scalar()

    @override
    def count_openings(self, fingerprint: str, *, since: datetime) -> int:
        opened = ALERTS.c.fingerprint == fingerprint, ALERTS.c.opened_at >= since
        return self.connection.execute(select(func.count()).select_from(ALERTS).where(*opened)).scalar_one()

    @override
    def closed_last_at(self, alert_id: str) -> datetime | None:
        statement = select(ALERTS.c.last_at).where(ALERTS.c.id == alert_id, ALERTS.c.closed_at.is_not(None))
        return self.connection.execute(statement).scalar()

    @override
    def count_as_notified(self, alert: OpenAlert, *, next_summary_at: datetime | None, now: datetime) -> None:
        values: dict[str, object] = {"notified_count": alert.count, "suppressed_by": None}
        if alert.notified_at is not None:
            values["notified_at"] = now
        if next_summary_at is not None:
            values["next_summary_at"] = next_summary_at
        self._change(alert.id, values)

    @override
    def record_notified(self, alert_id: str, *, count: int, next_summary_at: datetime, now: datetime) -> None:
        self._record(alert_id, count, {"notified_at": now, "next_summary_at": next_summary_at})

    @override
    def close(self, alert_id: str, *, count: int, now: datetime, last: Subject | None = None) -> None:
        self._inhibitions.forget_sources()
        shown = {} if last is None else headline_columns(last) | {"facts": dict(last.facts)}
        self._record(alert_id, count, {"open_fingerprint": None, "closed_at": now, **shown})

    def _record(self, alert_id: str, count: int, more: Mapping[str, object]) -> None:
        values = {"own_id": alert_id, "notified_count": count, "suppressed_by": None, **more}
        self.connection.execute(_CHANGE_WITH_SUMMARY, values)

    def _change(self, alert_id: str, values: Mapping[str, object]) -> None:
        self.connection.execute(_CHANGE, {"own_id": alert_id, **values})

    @override
    def due_alerts(self, *, limit: int, now: datetime) -> list[OpenAlert]:
        # The condition is on the outcome and not on the end: without statistics a planner would use the end's index for
        # every alert.
        running = select(CALLS.c.call_id).where(CALLS.c.alert_id == ALERTS.c.id, CALLS.c.outcome.is_(None)).exists()
        hanging = (ALERTS.c.type == AlertType.LLM_REQUESTS_HANGING.value) & (ALERTS.c.kind == AlertKind.CONDITION.value)
        due, known = select(ALERTS.c.id), OPEN & KNOWN_TYPE
        # One query per reason, so that each uses its own index of open alerts.
        reasons = (
            due.where(known, ALERTS.c.next_summary_at <= now).order_by(ALERTS.c.next_summary_at),
            due.where(known, ALERTS.c.repeat_at <= now).order_by(ALERTS.c.repeat_at),
            due.where(OPEN, hanging, ~running),
        )
        found = [reason.limit(limit) for reason in reasons]
        ids = union_all(*(select(one.subquery().c.id) for one in found))
        statement = select(*ROW).where(OPEN, ALERTS.c.id.in_(ids)).order_by(ALERTS.c.fingerprint)
        return self._with_calls(self._rows(statement.with_for_update(skip_locked=True)))

    @override
    def upcoming_summaries(self, *, until: datetime, limit: int, now: datetime) -> list[OpenAlert]:
        low = (ALERTS.c.kind == AlertKind.NOTICE.value) & (ALERTS.c.severity == Severity.LOW.value)
        upcoming = (ALERTS.c.next_summary_at > now) & (ALERTS.c.next_summary_at <= until)
        statement = (
            select(*ROW)
            .where(OPEN, KNOWN_TYPE, low, upcoming, ALERTS.c.count > ALERTS.c.notified_count)
            .order_by(ALERTS.c.fingerprint)
            .limit(limit)
        )
        return [self._open_alert(row) for row in self._rows(statement.with_for_update(skip_locked=True))]

    @override
    def report_unknown_types(self) -> None:
        unknown = select(ALERTS.c.type, func.count()).where(OPEN, ~KNOWN_TYPE).group_by(ALERTS.c.type)
        for name, count in self.connection.execute(unknown).all():
            _log.warning("%s open alerts of unknown type %s are left to a newer version", count, name)
            self.count(CounterName.UNKNOWN_VALUES, f"alert type {name}", count)

    def _open(self, statement: Executable, fingerprints: Iterable[str]) -> dict[str, OpenAlert]:
        wanted = sorted(fingerprints)
        rows = self._rows(statement, {"fingerprints": wanted}) if wanted else []
        return {row.fingerprint: self._open_alert(row) for row in rows}

    def _rows(self, statement: Executable, values: Mapping[str, object] | None = None) -> list[AlertRow]:
        return read_rows(self.connection, AlertRow, statement, values)

    def _with_calls(self, rows: Sequence[AlertRow]) -> list[OpenAlert]:
        """Return alerts. Alerts about hanging calls have the outcomes of their calls."""
        hanging = [row.id for row in rows if row.type == AlertType.LLM_REQUESTS_HANGING.value]
        calls: dict[str, list[_EndedCalls]] = {}
        if hanging:
            columns = (CALLS.c.alert_id, CALLS.c.outcome)
            sums = select(*columns, func.count().label("calls"), func.max(CALLS.c.ended_at).label("ended_at"))
            for row in self.connection.execute(sums.where(CALLS.c.alert_id.in_(hanging)).group_by(*columns)):
                calls.setdefault(row.alert_id, []).append(_EndedCalls(row.outcome, row.calls, row.ended_at))
        return [
            replace(
                self._open_alert(row),
                running=sum(one.calls for one in calls.get(row.id, ()) if one.outcome is None),
                outcomes={one.outcome: one.calls for one in calls.get(row.id, ()) if one.outcome is not None},
                ended_at=max((one.ended_at for one in calls.get(row.id, ()) if one.ended_at is not None), default=None),
            )
            for row in rows
        ]

    @override
    def raised(self, fingerprints: Iterable[str]) -> set[str]:
        statement = select(ALERTS.c.fingerprint).where(ALERTS.c.fingerprint.in_(sorted(fingerprints))).distinct()
        return set(self.connection.execute(statement).scalars())

    def _open_alert(self, row: AlertRow, *, opened_as: str | None = None) -> OpenAlert:
        """Read an alert of a known type. Values that only a newer version knows are counted and replaced."""
        stored = StoredReader()
        alert = open_alert(row, stored, opened=row.id == opened_as)
        self.count_unknown(stored)
        return alert
