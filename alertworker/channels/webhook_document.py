"""The document that the signed webhook posts, and its published JSON Schema."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Message, Step
from alertworker.alerts.tables import Row, Table, Unit
from alertworker.money import exact_dollars

_STATUS: Final = {
    Step.FIRING: "firing",
    Step.REMINDER: "firing",
    Step.RESOLVED: "resolved",
    Step.FIRED_AND_RESOLVED: "resolved",
    Step.TEST: "test",
}


class ColumnDocument(BaseModel):
    """A column. Cells of unit "dollars" are exact amounts as strings. Cells of unit "change" are per cent, or "new"."""

    name: str
    unit: Unit


class TableDocument(BaseModel):
    """A report's table: its highest rows, the number of ``more`` rows, and the sum of those (``rest``).

    ``apart`` are the rows without a team or without a tag. ``total`` is the sum of everything.
    """

    title: str
    columns: tuple[ColumnDocument, ...]
    rows: tuple[Row, ...]
    more: int
    rest: Row | None
    apart: tuple[Row, ...]
    total: Row | None


class AlertDocument(BaseModel):
    """One message about an alert. Strings are as they came: escape them for the place where you show them."""

    alert_id: str
    fingerprint: str
    alert_type: AlertType
    severity: Severity
    status: Literal["notice", "firing", "resolved", "test"]
    step: Step
    headline: str
    at: datetime
    since: datetime
    count: int
    total: int
    labels: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    members: tuple[str, ...] = ()
    members_more: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)
    tables: tuple[TableDocument, ...] = ()
    page_url: str | None = None
    what_to_do: str = ""
    runbook_url: str | None = None


class WebhookDocument(BaseModel):
    """The posted document. ``version`` changes when a field changes its meaning. New fields may be added any time."""

    version: Literal["1"] = "1"
    type: str
    timestamp: datetime
    data: AlertDocument


def document_of(message: Message) -> WebhookDocument:
    """Return the document of a message."""
    fields: dict[str, object] = message.model_dump(exclude={"type", "text", "entries", "proxy_url", "chart"})
    fields["tables"] = tuple(map(_table, message.tables))
    status = _STATUS.get(message.step, "notice")
    data = AlertDocument(alert_type=message.type, status=status, **fields)
    return WebhookDocument(type=f"alert.{message.step.value}", timestamp=message.at, data=data)


def schema() -> dict[str, object]:
    """Return the JSON Schema of the document."""
    return WebhookDocument.model_json_schema(mode="serialization")


def _table(table: Table) -> TableDocument:
    def exact(row: Row) -> Row:
        return tuple(
            exact_dollars(cell) if column.unit is Unit.DOLLARS and isinstance(cell, int) else cell
            for cell, column in zip(row, table.columns, strict=True)
        )

    return TableDocument(
        title=table.title,
        columns=tuple(ColumnDocument(name=column.name, unit=column.unit) for column in table.columns),
        rows=tuple(map(exact, table.rows)),
        more=table.more,
        rest=exact(table.rest) if table.rest else None,
        apart=tuple(map(exact, table.apart)),
        total=exact(table.total) if table.total else None,
    )
