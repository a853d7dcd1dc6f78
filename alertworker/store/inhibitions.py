"""Open conditions in SQL, by the labels that the rule of an inhibition names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, select
from typing_extensions import override

from alertworker.alerts.catalogue import Kind
from alertworker.ports.alert_search import AlertLabels
from alertworker.ports.inhibitions import InhibitionPort
from alertworker.routing.inhibitions import OpenCondition, SourceFilter
from alertworker.store.connection import columns_of, read_rows
from alertworker.store.schema.alerts import ALERTS, OPEN
from alertworker.store.schema.inhibitions import LabelValue, is_indexable
from alertworker.store.upsert import Statements

#: The number of open conditions that are read at once.
_PAGE: Final = 100


class InhibitionStatements(Statements, InhibitionPort):
    """Open conditions that may suppress other alerts."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        #: The pages that were read, by filter and by the id after which each begins.
        self._sources: dict[tuple[SourceFilter, str], list[OpenCondition]] = {}

    def forget_sources(self) -> None:
        """Discard what was read, because a condition has opened, risen or closed."""
        self._sources.clear()

    @override
    def open_conditions(self, wanted: SourceFilter) -> Iterator[OpenCondition]:
        after = ""  # each page is read once in a transaction
        while True:
            if (wanted, after) not in self._sources:
                self._sources[wanted, after] = self._page_of_sources(wanted, after)
            page = self._sources[wanted, after]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].id

    @override
    def conditions_at(self, wanted: SourceFilter, moment: datetime) -> list[OpenCondition]:
        types = sorted(kind.value for kind in wanted.types)
        during = ALERTS.c.closed_at.is_not(None) & (ALERTS.c.closed_at >= moment)
        statement = (
            select(*columns_of(AlertLabels, ALERTS))
            .where(during, ALERTS.c.first_at <= moment)
            .where(ALERTS.c.kind == Kind.CONDITION.value, ALERTS.c.type.in_(types), *_has_labels(wanted.labels))
            .order_by(ALERTS.c.closed_at)
            .limit(_PAGE)
        )
        return [OpenCondition(row.id, row.matched) for row in read_rows(self.connection, AlertLabels, statement)]

    def _page_of_sources(self, wanted: SourceFilter, after: str) -> list[OpenCondition]:
        types = sorted(kind.value for kind in wanted.types)
        statement = (
            select(*columns_of(AlertLabels, ALERTS))
            .where(OPEN, ALERTS.c.kind == Kind.CONDITION.value)
            .where(ALERTS.c.type.in_(types), *_has_labels(wanted.labels), ALERTS.c.id > after)
            .order_by(ALERTS.c.id)
            .limit(_PAGE)
        )
        return [OpenCondition(row.id, row.matched) for row in read_rows(self.connection, AlertLabels, statement)]


def _has_labels(labels: Iterable[tuple[str, str]]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for alerts with these labels; the rule itself tests what SQL cannot."""
    for name, value in sorted(labels):
        if name == "severity":
            yield ALERTS.c.severity == value
        elif is_indexable(name):
            yield LabelValue(ALERTS.c.labels, name) == value
