"""Sources of inhibitions in SQL: open conditions by the labels in an inhibition's rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select

from alertworker.alerts.catalogue import Kind
from alertworker.routing.inhibitions import OpenCondition, SourceFilter
from alertworker.store.schema.alerts import ALERTS, OPEN
from alertworker.store.schema.inhibitions import LabelValue, is_indexable
from alertworker.store.upsert import Statements

#: The number of open conditions that are read at once.
_PAGE: Final = 100


class InhibitionStatements(Statements):
    """Open conditions that may mute others."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        #: The conditions read so far, by filter and by the id after which they come.
        self._sources: dict[tuple[SourceFilter, str], list[OpenCondition]] = {}

    def forget_sources(self) -> None:
        """Forget what was read: a condition has opened, risen or closed."""
        self._sources.clear()

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
            .where(OPEN, ALERTS.c.kind == Kind.CONDITION.value)
            .where(ALERTS.c.type.in_(types), *_has_labels(wanted.labels), ALERTS.c.id > after)
            .order_by(ALERTS.c.id)
            .limit(_PAGE)
        )
        return [OpenCondition(row.id, labels_of(row)) for row in self.connection.execute(statement)]


def labels_of(row: Any) -> dict[str, str]:
    """Return the labels that routes, silences and inhibitions match, from an alert's row."""
    return {**row.labels, "alert_type": row.type, "severity": row.severity}


def _has_labels(labels: Iterable[tuple[str, str]]) -> Iterator[ColumnElement[bool]]:
    """Select alerts with these labels. Conditions that SQL cannot express are left to the rule."""
    for name, value in sorted(labels):
        if name == "severity":
            yield ALERTS.c.severity == value
        elif is_indexable(name):
            yield LabelValue(ALERTS.c.labels, name) == value
