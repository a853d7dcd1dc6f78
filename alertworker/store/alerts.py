"""Alerts: generations, members, what mutes them, and up to where they were told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import AlertType, Kind, Severity
from alertworker.alerts.tables import Attachment, Chart, Table
from alertworker.events.base import new_id
from alertworker.routing.inhibitions import OpenCondition, SourceFilter
from alertworker.routing.matchers import Matcher, MatcherError, parse
from alertworker.routing.silences import Silence
from alertworker.store.schema.alerts import ALERTS, ATTACHMENTS, MEMBERS, PARTS, SILENCES
from alertworker.store.schema.label_value import LabelValue, is_indexable
from alertworker.store.schema.publishers import CALLS
from alertworker.store.upsert import Statements, insert_or

_log: Final = logging.getLogger("alertworker.alerts")
#: How many open conditions that may mute an alert are read at once.
_PAGE: Final = 100


class AlertStatements(Statements):
    """Claims, each one statement, and what they lead to."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._silences: dict[datetime, list[Silence]] = {}
        #: What was read of the open conditions that mute others, until one opens, rises or closes.
        self._sources: dict[tuple[SourceFilter, str], list[OpenCondition]] = {}

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement; gives the row as it then stands.

        What is said on a lower level than the row's is counted and does not replace the row's own words; metadata is
        replaced by newer metadata only, never by none.
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
        raised = _open_alert(self.connection.execute(counted).one(), opened_as=own_id)
        if raised.opened:
            self._sources.clear()
        return raised if raised.level >= alert.level else self._rise(raised, alert)

    def _rise(self, raised: OpenAlert, alert: Alert) -> OpenAlert:
        """Bring an alert to a higher level; its row is locked by the statement that counted.

        Who acknowledged it acknowledged something smaller.
        """
        self._sources.clear()
        higher = update(ALERTS).where(ALERTS.c.id == raised.id, ALERTS.c.level < alert.level)
        values = {"level": alert.level, "severity": alert.severity.value}
        self.connection.execute(higher.values(**values, acked_at=None, acked_by=None, ack_note=None))
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

    def owe(self, alert_id: str, channels: Sequence[str]) -> None:
        """Record which channels are still to be told of an open condition, since they are mute at this hour."""
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(owed=list(channels) or None))

    def owing_alerts(self) -> list[OpenAlert]:
        """Give the open conditions that some were told of, and channels that are owed are not; locked."""
        owing = ALERTS.c.open_fingerprint.is_not(None) & ALERTS.c.owed.is_not(None) & ALERTS.c.muted_by.is_(None)
        statement = select(ALERTS).where(owing).order_by(ALERTS.c.fingerprint).with_for_update(skip_locked=True)
        return [_open_alert(row) for row in self.connection.execute(statement).all()]

    def withhold(self, alert_id: str, reason: str) -> None:
        """Record why a message reached nobody."""
        self.connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(withheld_by=reason))

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set when to remind of an open condition, unless it was acknowledged."""
        statement = update(ALERTS).where(ALERTS.c.id == alert_id, ALERTS.c.acked_at.is_(None))
        self.connection.execute(statement.values(repeat_at=moment))

    def silences(self, *, now: datetime) -> list[Silence]:
        """Give the silences that are in force; they are read once in a transaction."""
        if now not in self._silences:
            statement = select(SILENCES).where(SILENCES.c.starts_at <= now, SILENCES.c.ends_at > now)
            self._silences[now] = [read_silence(row) for row in self.connection.execute(statement)]
        return self._silences[now]

    def open_conditions(self, wanted: SourceFilter) -> Iterator[OpenCondition]:
        """Yield the open conditions that may mute an alert, in pages that are read once in a transaction."""
        after = ""
        while True:
            if (wanted, after) not in self._sources:
                self._sources[wanted, after] = self._page_of_sources(wanted, after)
            page = self._sources[wanted, after]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].id

    def _page_of_sources(self, wanted: SourceFilter, after: str) -> list[OpenCondition]:
        columns = (ALERTS.c.id, ALERTS.c.type, ALERTS.c.severity, ALERTS.c.labels)
        types = sorted(kind.value for kind in wanted.types)
        statement = (
            select(*columns)
            .where(ALERTS.c.open_fingerprint.is_not(None), ALERTS.c.kind == Kind.CONDITION.value)
            .where(ALERTS.c.type.in_(types), *_has_labels(wanted.labels), ALERTS.c.id > after)
            .order_by(ALERTS.c.id)
            .limit(_PAGE)
        )
        return [OpenCondition(row.id, labels_of(row)) for row in self.connection.execute(statement)]

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Give the open generation of an alert, locked."""
        statement = select(ALERTS).where(ALERTS.c.open_fingerprint == fingerprint).with_for_update()
        row = self.connection.execute(statement).first()
        return _open_alert(row) if row is not None else None

    def last_closed(self, fingerprint: str) -> datetime | None:
        """Give when the newest generation that is over was closed; ``None`` where none is."""
        statement = select(func.max(ALERTS.c.closed_at)).where(ALERTS.c.fingerprint == fingerprint)
        return self.connection.execute(statement).scalar()

    def told(self, alert_id: str, *, count: int, next_summary_at: datetime, now: datetime) -> None:
        """Record up to which count the alert was told, and when to look at it again."""
        self._told(alert_id, count, {"told_at": now, "next_summary_at": next_summary_at})

    def close(self, alert_id: str, *, count: int, now: datetime) -> None:
        """Close the alert, told up to this count; its fingerprint may open again."""
        self._sources.clear()
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
        counted, last = func.count().label("calls"), func.max(CALLS.c.ended_at).label("ended_at")
        statement = select(CALLS.c.outcome, counted, last).where(CALLS.c.alert_id == row.id).group_by(CALLS.c.outcome)
        calls = self.connection.execute(statement).all()
        return replace(
            _open_alert(row),
            running=sum(found.calls for found in calls if found.outcome is None),
            outcomes={found.outcome: found.calls for found in calls if found.outcome is not None},
            ended_at=max((found.ended_at for found in calls if found.ended_at is not None), default=None),
        )

    def count_members(self, alert_id: str) -> int:
        """Give how many of an alert's occurrences are kept by name."""
        statement = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.alert_id == alert_id)
        return self.connection.execute(statement).scalar_one()

    def was_raised(self, fingerprint: str) -> bool:
        """Tell whether an alert was ever raised, open or closed."""
        statement = select(ALERTS.c.id).where(ALERTS.c.fingerprint == fingerprint).limit(1)
        return self.connection.execute(statement).first() is not None


def labels_of(row: Any) -> dict[str, str]:
    """Give what routes, silences and inhibitions ask about, of an alert's row."""
    return {**row.labels, "alert_type": row.type, "severity": row.severity}


def _has_labels(labels: Iterable[tuple[str, str]]) -> Iterator[ColumnElement[bool]]:
    """Select alerts with these labels; what cannot be said in SQL is left to the rule that asks."""
    for name, value in sorted(labels):
        if name == "severity":
            yield ALERTS.c.severity == value
        elif is_indexable(name):
            yield LabelValue(ALERTS.c.labels, name) == value


def read_silence(row: Any) -> Silence:
    """Read a silence from its row; one whose matchers this version refuses matches nothing and says so."""
    matchers: tuple[Matcher, ...] = ()
    problem = None
    try:
        matchers = tuple(parse(text) for text in row.matchers)
    except MatcherError as error:
        problem = str(error)
        _warn_of_silence(row.id, problem)
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.author, row.reason, problem)


@lru_cache(maxsize=1_000)
def _warn_of_silence(silence_id: str, problem: str) -> None:
    """Log once in each process; every transaction reads the silences again."""
    _log.warning("silence %s is not applied: %s", silence_id, problem)


def _open_alert(row: Any, *, opened_as: str | None = None) -> OpenAlert:
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
        told_at=row.told_at,
        summaries=row.summaries,
        first_at=row.first_at,
        last_at=row.last_at,
        fingerprint=row.fingerprint,
        muted_by=row.muted_by,
        owed=tuple(row.owed or ()),
        repeat_at=row.repeat_at,
        level=row.level,
        opened=row.id == opened_as,
    )
