"""Alerts as people look for them: by state, severity, type and labels, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, select
from sqlalchemy.sql.elements import ColumnElement

from alertworker.alerts.catalogue import Severity
from alertworker.routing.matchers import Matcher, all_pass
from alertworker.store.database import Database
from alertworker.store.inhibitions import labels_of
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.delivery import ATTEMPTS, NOTIFICATIONS

#: How many rows one transaction reads, and how many transactions one search makes at the most.
_CHUNK: Final = 200
_MOST_CHUNKS: Final = 25
_MOST_ATTEMPTS: Final = 1_000
_OPEN: Final = ALERTS.c.open_fingerprint.is_not(None)
_ACKED: Final = ALERTS.c.acked_at.is_not(None)
_MUTED: Final = ALERTS.c.muted_by.is_not(None)

#: What an alert's state can be: all that are open are in one of the three others, too.
STATES: Final[Mapping[str, ColumnElement[bool]]] = {
    "open": _OPEN,
    "firing": _OPEN & ~_ACKED & ~_MUTED,
    "acknowledged": _OPEN & _ACKED & ~_MUTED,
    "muted": _OPEN & _MUTED,
    "closed": ~_OPEN,
}


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are meant: those that pass everything that is given; ``state`` is one of `STATES`."""

    state: str | None = None
    severity: str | None = None
    kind: str | None = None
    since: datetime | None = None
    matchers: tuple[Matcher, ...] = ()


class AlertSearch(Database):
    """Alerts, looked for."""

    def search_alerts(
        self, wanted: AlertFilter, *, after: str | None = None, limit: int = 50
    ) -> tuple[list[Any], str | None]:
        """List alerts, newest first, from the one ``after`` that id on; gives where to go on, if there may be more.

        Matchers are tested here and not by the database, as silences are: 5,000 rows are looked through at the most,
        so that the list may be short and go on all the same.
        """
        found: list[Any] = []
        for _ in range(_MOST_CHUNKS):
            rows = self._chunk(wanted, after)
            for row in rows:
                if all_pass(wanted.matchers, labels_of(row)):
                    if len(found) == limit:
                        return found, after
                    found.append(row)
                after = row.id
            if len(rows) < _CHUNK:
                return found, None
        return found, after

    def firing_alerts(self, *, limit: int) -> Sequence[Any]:
        """List open alerts, the severest first, then what happened last."""
        rank = case(*((ALERTS.c.severity == severity.value, rank) for rank, severity in enumerate(Severity)), else_=0)
        statement = select(ALERTS).where(_OPEN).order_by(rank.desc(), ALERTS.c.last_at.desc(), ALERTS.c.id).limit(limit)
        return self.run(lambda tx: tx.connection.execute(statement).all())

    def count_open(self) -> Counter[str]:
        """Count open alerts by severity."""
        statement = select(ALERTS.c.severity, func.count()).where(_OPEN).group_by(ALERTS.c.severity)
        return self.run(lambda tx: Counter({row[0]: row[1] for row in tx.connection.execute(statement)}))

    def attempts_of(self, alert_id: str) -> dict[str, list[Any]]:
        """Give the last attempts to tell of an alert, `_MOST_ATTEMPTS` at the most, by notification and in order."""
        statement = (
            select(ATTEMPTS)
            .join(NOTIFICATIONS, NOTIFICATIONS.c.id == ATTEMPTS.c.notification_id)
            .where(NOTIFICATIONS.c.alert_id == alert_id)
            .order_by(ATTEMPTS.c.at.desc())
            .limit(_MOST_ATTEMPTS)
        )
        found: dict[str, list[Any]] = {}
        for row in reversed(self.run(lambda tx: tx.connection.execute(statement).all())):
            found.setdefault(row.notification_id, []).append(row)
        return found

    def _chunk(self, wanted: AlertFilter, after: str | None) -> Sequence[Any]:
        statement = select(ALERTS).where(*_conditions(wanted))
        if after is not None:
            at = select(ALERTS.c.opened_at).where(ALERTS.c.id == after).scalar_subquery()
            earlier = (ALERTS.c.opened_at < at) | ((ALERTS.c.opened_at == at) & (ALERTS.c.id < after))
            statement = statement.where(earlier)
        statement = statement.order_by(ALERTS.c.opened_at.desc(), ALERTS.c.id.desc()).limit(_CHUNK)
        return self.run(lambda tx: tx.connection.execute(statement).all())


def _conditions(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    found = [STATES[wanted.state]] if wanted.state else []
    if wanted.severity:
        found.append(ALERTS.c.severity == wanted.severity)
    if wanted.kind:
        found.append(ALERTS.c.type == wanted.kind)
    if wanted.since:
        found.append(ALERTS.c.last_at >= wanted.since)
    return found
