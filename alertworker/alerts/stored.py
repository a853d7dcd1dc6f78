"""Reads alerts and messages from rows, also from those that a newer version wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from alertworker.alerts.budget_payload import BudgetFigures
from alertworker.alerts.catalogue import AlertKind, AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.alerts.outage_headline import OutageHeadline
from alertworker.alerts.tables import Chart, Table

_M = TypeVar("_M", bound=BaseModel)
#: An unknown severity is read as the highest, so that no alert is missed.
_SEVERITY: Final = Severity.HIGH


@dataclass(slots=True)
class StoredReader:
    """Reads stored values. ``unknown`` lists the values that only a newer version knows and that were replaced.

    While versions overlap, a value that this version does not know must neither stop a worker nor park a batch.
    """

    unknown: list[str] = field(default_factory=list)

    def severity(self, stored: object) -> Severity:
        """Return a severity."""
        if isinstance(stored, str) and stored in set(Severity):
            return Severity(stored)
        self.unknown.append(f"severity {stored}")
        return _SEVERITY

    def kind(self, stored: object) -> AlertKind:
        """Return whether an alert is a notice or a condition. An alert of an unknown kind is closed like a notice."""
        if isinstance(stored, str) and stored in set(AlertKind):
            return AlertKind(stored)
        self.unknown.append(f"kind {stored}")
        return AlertKind.NOTICE

    def headline_parts(self, stored: object, headline: str) -> OutageHeadline | None:
        """Return the parts of a headline, or ``None`` if they are not known.

        A worker of the previous version changes the headline alone. The parts in the row are then out of date: they
        make another headline.
        """
        parts = self._part(OutageHeadline, stored) if stored else None
        return parts if parts is not None and parts.text == headline else None

    def figures(self, stored: object) -> BudgetFigures | None:
        """Return a budget's figures, or ``None`` if there are none that this version can read."""
        return self._part(BudgetFigures, stored) if stored else None

    def tables(self, stored: object) -> tuple[Table, ...]:
        """Return the tables of a report that this version can read."""
        tables = stored if isinstance(stored, list | tuple) else ()
        return tuple(table for one in tables if (table := self._part(Table, one)) is not None)

    def chart(self, stored: object) -> Chart | None:
        """Return a report's chart, or ``None`` if there is none that this version can read."""
        return self._part(Chart, stored) if stored else None

    def message(self, stored: str | bytes) -> Message:
        """Return a message.

        Raises:
            ValueError: it is not a message of any version.
        """
        try:
            return Message.model_validate_json(stored)
        except ValidationError:
            fields = json.loads(stored)
            if not isinstance(fields, dict):
                raise
        for entry in (fields, *(one for one in fields.get("entries", ()) if isinstance(one, dict))):
            self._replace_unknown(entry)
        parts: dict[str, object] = {
            "figures": self.figures(fields.get("figures")),
            "tables": self.tables(fields.get("tables")),
            "chart": self.chart(fields.get("chart")),
        }
        return Message.model_validate(fields | parts)

    def _replace_unknown(self, fields: dict[str, object]) -> None:
        """Replace unknown types, severities and steps of a message, and of the entries in a digest."""
        if (stored := fields.get("type")) not in set(AlertType):
            self.unknown.append(f"alert type {stored}")
            fields["type"] = AlertType.UNKNOWN
        if (stored := fields.get("step")) not in set(Step):
            self.unknown.append(f"step {stored}")
            fields["step"] = Step.NOTICE
        fields["severity"] = self.severity(fields.get("severity"))

    def _part(self, model: type[_M], stored: object) -> _M | None:
        try:
            return model.model_validate(stored)
        except ValidationError:
            self.unknown.append(model.__name__)
            return None
