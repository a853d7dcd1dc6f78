"""The rows of alerts: what is stored of an alert, and how it is read."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import case
from sqlalchemy.sql.dml import ReturningInsert

from alertworker.alerts.alert import Alert, OpenAlert, Subject
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.stored import StoredReader
from alertworker.alerts.suppression import Suppression
from alertworker.ports.alert_search import AlertRow
from alertworker.store.connection import columns_of
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.sums import capped_add
from alertworker.store.upsert import insert_on

#: The columns of an alert's row.
ROW: Final = columns_of(AlertRow, ALERTS)


def open_alert(row: AlertRow, stored: StoredReader, *, opened: bool) -> OpenAlert:
    """Return a row's alert of a known type. ``stored`` collects the values that were replaced."""
    return OpenAlert(
        id=row.id,
        type=AlertType(row.type),
        kind=stored.kind(row.kind),
        severity=stored.severity(row.severity),
        headline=row.headline,
        headline_parts=stored.headline_parts(row.headline_parts, row.headline),
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
        opened=opened,
    )


def headline_columns(alert: Alert | Subject) -> dict[str, object]:
    """Return the columns of an alert's headline. They change together."""
    parts = alert.headline_parts
    return {"headline": alert.headline, "headline_parts": parts.model_dump(mode="json") if parts else None}


def opened_row(alert_id: str, alert: Alert, *, next_summary_at: datetime, now: datetime) -> dict[str, object]:
    """Return the row of a new generation."""
    return {
        "id": alert_id,
        "fingerprint": alert.fingerprint,
        "open_fingerprint": alert.fingerprint,
        "type": alert.type.value,
        "kind": alert.kind.value,
        "severity": alert.severity.value,
        "level": alert.level,
        **headline_columns(alert),
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


@cache
def open_or_count(dialect: str, *, has_metadata: bool) -> ReturningInsert[*tuple[object, ...]]:
    """Return the statement that opens an alert or adds to its open generation. It returns the row after that.

    An alert of a lower level than the row's changes nothing that the row shows.
    """
    insert = insert_on(dialect, ALERTS)
    new, kept = insert.excluded, ALERTS.c
    shown = ("headline", "headline_parts", "facts", "figures") + (("metadata",) if has_metadata else ())
    return insert.on_conflict_do_update(
        index_elements=["open_fingerprint"],
        set_={
            "count": capped_add(kept.count, new["count"]),
            "first_at": case((kept.first_at > new.first_at, new.first_at), else_=kept.first_at),
            "last_at": case((kept.last_at < new.last_at, new.last_at), else_=kept.last_at),
            **{name: case((kept.level > new.level, kept[name]), else_=new[name]) for name in shown},
        },
    ).returning(*ROW)
