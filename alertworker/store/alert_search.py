"""The search for alerts, by state, severity, type and labels, one page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import case, func, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from alertworker.alerts.catalogue import AlertKind, Severity
from alertworker.ports.admin import AttemptRow
from alertworker.ports.alert_search import AlertFilter, AlertLabels, AlertPage, AlertRow, StateFilter
from alertworker.routing.matchers import all_pass
from alertworker.store.connection import ConnectionRunner, columns_of
from alertworker.store.schema.alerts import ALERTS, OPEN, SUPPRESSED
from alertworker.store.schema.delivery import ATTEMPTS, NOTIFICATIONS

#: How many rows one transaction of a search by labels reads, and how many transactions such a search has at most.
_CHUNK: Final = 200
_MOST_CHUNKS: Final = 25
_MOST_ATTEMPTS: Final = 1_000
#: More than the time by which an event's clock may be ahead.
_AHEAD: Final = timedelta(hours=1)
_ACKED: Final = ALERTS.c.acked_at.is_not(None)
#: As `AlertRow.still_suppressed_by`.
_STILL_SUPPRESSED: Final = ALERTS.c.suppressed_by.is_not(None) | (
    (ALERTS.c.kind == AlertKind.NOTICE.value)
    & ALERTS.c.notified_at.is_(None)
    & ALERTS.c.last_suppressed_by.is_not(None)
)
_SELECTED: Final = select(*columns_of(AlertRow, ALERTS))

_STATES: Final[Mapping[StateFilter, ColumnElement[bool]]] = {
    StateFilter.OPEN: OPEN,
    StateFilter.FIRING: OPEN & ~_ACKED & ~_STILL_SUPPRESSED,
    StateFilter.ACKNOWLEDGED: OPEN & _ACKED & ~_STILL_SUPPRESSED,
    StateFilter.SUPPRESSED: OPEN & _STILL_SUPPRESSED,
    # Inside an expression, because a database would otherwise read every closed alert by the fingerprint's index.
    StateFilter.CLOSED: ALERTS.c.open_fingerprint.concat("").is_(None),
}


class AlertSearch(ConnectionRunner):
    """Searches alerts."""

    def search(self, wanted: AlertFilter, *, after: str | None = None, limit: int = 50) -> AlertPage:
        """Return alerts, newest first, that come after the alert with the id ``after``.

        Matchers are tested here and not by the database, as silences are. A search by matchers reads 5,000 rows at
        most, so a page may be short although more pages follow.
        """
        if not wanted.matchers:
            rows = self._chunk(wanted, after, limit + 1)
            return AlertPage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
        found: list[AlertRow] = []
        for _ in range(_MOST_CHUNKS):
            rows = self._chunk(wanted, after, _CHUNK)
            for row in rows:
                if all_pass(wanted.matchers, row.matched):
                    if len(found) == limit:
                        return AlertPage(found, after)
                    found.append(row)
                after = row.id
            if len(rows) < _CHUNK:
                return AlertPage(found, None)
        return AlertPage(found, after)

    def find(self, alert_id: str) -> AlertRow | None:
        """Return one alert, ``None`` if there is none with this id."""
        return next(iter(self.rows(AlertRow, _SELECTED.where(ALERTS.c.id == alert_id))), None)

    def firing(self, *, limit: int) -> Sequence[AlertRow]:
        """Return open alerts, the most severe first, then those that happened last.

        Suppressed ones follow all others.
        """
        rank = case(*((ALERTS.c.severity == one.value, one.rank) for one in Severity), else_=0)
        suppressed = case((_STILL_SUPPRESSED, 1), else_=0)
        statement = (
            _SELECTED.where(OPEN).order_by(suppressed, rank.desc(), ALERTS.c.last_at.desc(), ALERTS.c.id).limit(limit)
        )
        return self.rows(AlertRow, statement)

    def open_labels(self) -> Sequence[AlertLabels]:
        """Return what matchers match on, of every open alert."""
        return self.rows(AlertLabels, select(*columns_of(AlertLabels, ALERTS)).where(OPEN))

    def count_open(self, *, suppressed: bool = False) -> Counter[str]:
        """Count open alerts by severity, either those that are suppressed or all others."""
        wanted = _STILL_SUPPRESSED if suppressed else ~_STILL_SUPPRESSED
        statement = select(ALERTS.c.severity, func.count()).where(OPEN, wanted).group_by(ALERTS.c.severity)
        return self.read_on_connection(
            lambda connection: Counter({row[0]: row[1] for row in connection.execute(statement)})
        )

    def attempts_of(self, alert_id: str) -> dict[str, list[AttemptRow]]:
        """Return the last attempts to send an alert's notifications, in order, by notification.

        There are `_MOST_ATTEMPTS` at most.
        """
        statement = (
            select(*columns_of(AttemptRow, ATTEMPTS))
            .join(NOTIFICATIONS, NOTIFICATIONS.c.id == ATTEMPTS.c.notification_id)
            .where(NOTIFICATIONS.c.alert_id == alert_id)
            .order_by(ATTEMPTS.c.at.desc())
            .limit(_MOST_ATTEMPTS)
        )
        found: dict[str, list[AttemptRow]] = {}
        for row in reversed(self.rows(AttemptRow, statement)):
            found.setdefault(row.notification_id, []).append(row)
        return found

    def _chunk(self, wanted: AlertFilter, after: str | None, limit: int) -> list[AlertRow]:
        statement = _SELECTED.where(*_conditions(wanted))
        if after is not None:
            at = select(ALERTS.c.opened_at).where(ALERTS.c.id == after).scalar_subquery()
            # The first condition is by itself, so that the index is entered where the page begins.
            statement = statement.where(ALERTS.c.opened_at <= at, (ALERTS.c.opened_at < at) | (ALERTS.c.id < after))
        statement = statement.order_by(ALERTS.c.opened_at.desc(), ALERTS.c.id.desc()).limit(limit)
        return self.rows(AlertRow, statement)


def _conditions(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    found = [_STATES[wanted.state]] if wanted.state else []
    asked = {"severity": wanted.severity, "type": wanted.type, "fingerprint": wanted.fingerprint}
    found += [ALERTS.c[name] == value for name, value in asked.items() if value]
    if wanted.since:
        # An alert is closed after its last occurrence, unless a producer's clock is ahead.
        lately = select(ALERTS.c.id).where(ALERTS.c.closed_at >= wanted.since - _AHEAD)
        some = union_all(select(ALERTS.c.id).where(OPEN), lately)
        found += [ALERTS.c.last_at >= wanted.since, ALERTS.c.id.in_(some)]
    if wanted.suppressed:
        found.append(SUPPRESSED)
    return found
