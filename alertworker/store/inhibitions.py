"""Open conditions in SQL, by the labels that the rule of an inhibition names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, or_, select
from typing_extensions import override

from alertworker.alerts.catalogue import AlertKind, AlertType
from alertworker.alerts.suppression import WAITING, Suppression, SuppressionReason
from alertworker.ports.alert_search import AlertLabels
from alertworker.ports.inhibitions import InhibitionPort
from alertworker.routing.inhibitions import OpenCondition, SourceFilter
from alertworker.store.connection import columns_of, read_rows
from alertworker.store.delivery.delivered import delivered
from alertworker.store.schema.alerts import ALERTS, OPEN
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.inhibitions import LabelValue, is_indexable
from alertworker.store.upsert import Statements


@dataclass(frozen=True, slots=True)
class _Source(AlertLabels):
    """A condition's labels, and what suppresses it."""

    suppressed_by: str | None

    @property
    def inhibitor(self) -> str | None:
        """The id of the alert that suppresses it."""
        suppression = Suppression.parse(self.suppressed_by or "")
        return suppression.by if suppression.reason is SuppressionReason.ALERT else None

    @property
    def waits_until(self) -> datetime | None:
        """Until when its first message waits."""
        return Suppression.parse(self.suppressed_by or "").until


#: The starts of ``suppressed_by`` of conditions that an alert suppresses, or that wait for a moment.
_UNNOTIFIED: Final = [str(Suppression(reason)) for reason in (SuppressionReason.ALERT, *sorted(WAITING))]
#: The number of open conditions that are read at once.
_PAGE: Final = 100
#: How many queries for sources a process keeps: one for each set of labels that rules name.
_KEPT: Final = 1_000
_SOURCE: Final = columns_of(_Source, ALERTS)
_BY_ID: Final = select(*_SOURCE).where(ALERTS.c.id.in_(bindparam("ids", expanding=True)))


class InhibitionStatements(Statements, InhibitionPort):
    """Open conditions that may suppress other alerts, with the channels that were notified of them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        #: The pages that were read, by filter, by channels and by the id after which each begins.
        self._sources: dict[tuple[SourceFilter, frozenset[str], str], list[OpenCondition]] = {}
        #: The conditions that were open at some moment, by filter and moment.
        self._past: dict[tuple[SourceFilter, datetime], list[OpenCondition]] = {}

    @override
    def forget_sources(self) -> None:
        self._sources.clear()
        self._past.clear()

    @override
    def open_conditions(
        self, wanted: SourceFilter, *, channels: Collection[str], shadow: bool
    ) -> Iterator[OpenCondition]:
        after = ""  # each page is read once in a transaction
        while True:
            key = (wanted, frozenset(channels), after)
            if key not in self._sources:
                self._sources[key] = self._page_of_sources(*key, shadow=shadow)
            page = self._sources[key]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].id

    @override
    def conditions_of(self, types: Collection[AlertType]) -> list[OpenCondition]:
        statement = (
            select(*columns_of(AlertLabels, ALERTS))
            .where(OPEN, ALERTS.c.kind == AlertKind.CONDITION.value, ALERTS.c.type.in_(sorted(types)))
            .order_by(ALERTS.c.id)
        )
        return [OpenCondition(row.id, row.matched) for row in read_rows(self.connection, AlertLabels, statement)]

    @override
    def conditions_at(self, wanted: SourceFilter, moment: datetime, *, shadow: bool) -> list[OpenCondition]:
        key = (wanted, moment)  # read once in a transaction, like pages
        if key not in self._past:
            statement, values = _closed_sources(_names(wanted)), _values(wanted) | {"moment": moment}
            self._past[key] = self._conditions(read_rows(self.connection, _Source, statement, values), shadow=shadow)
        return self._past[key]

    def _page_of_sources(
        self, wanted: SourceFilter, channels: frozenset[str], after: str, *, shadow: bool
    ) -> list[OpenCondition]:
        values = _values(wanted) | {"channels": sorted(channels), "after": after}
        found = read_rows(self.connection, _Source, _open_sources(_names(wanted)), values)
        return self._conditions(found, shadow=shadow)

    def _conditions(self, found: Sequence[_Source], *, shadow: bool) -> list[OpenCondition]:
        if not found:
            return []
        channels = self._covered({row.id: row.inhibitor for row in found}, shadow=shadow)
        return [OpenCondition(row.id, row.matched, frozenset(channels[row.id]), row.waits_until) for row in found]

    def _covered(self, sources: Mapping[str, str | None], *, shadow: bool) -> dict[str, set[str]]:
        """Return the channels that were notified of each condition, or of the alerts that suppress it, by id.

        ``sources`` has, for each condition, the id of the alert that suppresses it.
        """
        behind = dict(sources)
        wanted = {by for by in behind.values() if by is not None} - behind.keys()
        while wanted:
            found = read_rows(self.connection, _Source, _BY_ID, {"ids": sorted(wanted)})
            behind |= {row.id: row.inhibitor for row in found}
            wanted = {row.inhibitor for row in found if row.inhibitor is not None} - behind.keys()
        notified: dict[str, set[str]] = {name: set() for name in behind}
        for row in self.connection.execute(_notified_channels(shadow=shadow), {"ids": sorted(behind)}):
            notified[row.alert_id].add(row.channel)
        return {name: set[str]().union(*(notified[one] for one in _chain(name, behind))) for name in sources}


def _chain(alert_id: str, behind: Mapping[str, str | None]) -> list[str]:
    """Return an alert, the alert that suppresses it, and so on."""
    chain = [alert_id]
    while (by := behind.get(chain[-1])) is not None and by in behind and by not in chain:
        chain.append(by)
    return chain


def _names(wanted: SourceFilter) -> tuple[str, ...]:
    """Return the labels of a filter that SQL can test; the rule itself tests the others."""
    return tuple(sorted({name for name, _ in wanted.labels if name == "severity" or is_indexable(name)}))


def _values(wanted: SourceFilter) -> dict[str, object]:
    """Return the parameters of a statement for a filter."""
    labels, named = dict(wanted.labels), _names(wanted)
    return {"types": sorted(alert_type.value for alert_type in wanted.types)} | {
        f"label_{name}": labels[name] for name in named
    }


def _sources(labels: tuple[str, ...], alert_type: ColumnElement[str]) -> Select[*tuple[object, ...]]:
    """Return the query for conditions of some types with values of these labels."""
    columns = (ALERTS.c.severity if name == "severity" else LabelValue(ALERTS.c.labels, name) for name in labels)
    named = (column == bindparam(f"label_{name}") for column, name in zip(columns, labels, strict=True))
    types = alert_type.in_(bindparam("types", expanding=True))
    return select(*_SOURCE).where(ALERTS.c.kind == AlertKind.CONDITION.value, types, *named).limit(_PAGE)


@lru_cache(maxsize=_KEPT)
def _open_sources(labels: tuple[str, ...]) -> Select[*tuple[object, ...]]:
    """Return the query for a page of open conditions. An alert takes several, so each is built once in a process."""
    channels = NOTIFICATIONS.c.channel.in_(bindparam("channels", expanding=True))
    notified = select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.alert_id == ALERTS.c.id, channels).exists()
    # The channels of a condition that another alert suppresses include those that were notified of that alert.
    unnotified = or_(*(ALERTS.c.suppressed_by.startswith(start) for start in _UNNOTIFIED))
    page = _sources(labels, ALERTS.c.type).where(OPEN, ALERTS.c.id > bindparam("after"), notified | unnotified)
    return page.order_by(ALERTS.c.id)


@lru_cache(maxsize=_KEPT)
def _closed_sources(labels: tuple[str, ...]) -> Select[*tuple[object, ...]]:
    """Return the query for conditions that are closed and were open at a moment."""
    during = ALERTS.c.closed_at.is_not(None) & (ALERTS.c.closed_at >= bindparam("moment"))
    # The type is inside an expression, because its index has all closed alerts of the type.
    sources = _sources(labels, ALERTS.c.type.concat(""))
    return sources.where(during, ALERTS.c.first_at <= bindparam("moment")).order_by(ALERTS.c.closed_at)


@cache
def _notified_channels(*, shadow: bool) -> Select[*tuple[object, ...]]:
    """Return the query for the channels that were notified of some alerts."""
    own = NOTIFICATIONS.c.alert_id.in_(bindparam("ids", expanding=True)) & delivered(shadow=shadow)
    return select(NOTIFICATIONS.c.alert_id, NOTIFICATIONS.c.channel).where(own).distinct()
