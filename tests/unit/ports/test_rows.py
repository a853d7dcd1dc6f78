"""Rows that the store's reading side returns: they have every column of their tables, and answer questions of pages."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Table

from alertworker.events.system import by_known_reason
from alertworker.ports import DeadLetter
from alertworker.ports.admin import AttemptRow, NotificationRow, PublisherRow
from alertworker.ports.alert_search import AlertLabels, AlertRow
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.publishers import PUBLISHERS

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (AlertRow, ALERTS),
        (NotificationRow, NOTIFICATIONS),
        (AttemptRow, ATTEMPTS),
        (PublisherRow, PUBLISHERS),
        (DeadLetter, DEAD_LETTERS),
    ],
)
def test_a_row_has_the_columns_of_its_table_in_their_order(row: type, table: Table) -> None:
    """`alerts show` and `notifications show` print whole rows, so a column that is added must not be lost."""
    assert [field.name for field in fields(row)] == [column.key for column in table.c]


def test_matchers_see_the_type_and_the_severity_as_labels() -> None:
    """Also if an alert has labels of these names itself."""
    alert = AlertLabels("1", "llm_exceptions", "High", {"team": "search", "severity": "mine"})
    assert alert.matched == {"team": "search", "alert_type": "llm_exceptions", "severity": "High"}


@pytest.mark.parametrize(
    ("stopped", "lost", "silent_seconds", "state"),
    [(False, False, 50, "live"), (False, False, 51, "silent"), (False, True, 51, "lost"), (True, True, 51, "stopped")],
)
def test_a_publisher_is_silent_after_five_intervals(
    *, stopped: bool, lost: bool, silent_seconds: int, state: str
) -> None:
    """A clean stop is never a loss."""
    row = PublisherRow(
        boot_id="b",
        host="h",
        pid=1,
        last_heartbeat_at=NOW,
        arrived_at=NOW,
        integration=None,
        interval_seconds=10,
        backlog=0,
        started_at=None,
        inflight=None,
        counters={"dropped": {"buffer_full": 3}},
        published=0,
        moved_at=NOW,
        busy_since=NOW,
        silent_at=None,
        stopped_at=NOW if stopped else None,
        lost_at=NOW if lost else None,
    )
    assert row.state(now=NOW + timedelta(seconds=silent_seconds)) == state
    assert row.dropped == {"buffer_full": 3}


def test_reasons_that_a_previous_version_stored_are_shown_as_one() -> None:
    """Producers choose the reasons, and each one is a row of the pages."""
    counters = {f"reason {n}": 2 for n in range(1_000)} | {"shutdown": 3}
    assert by_known_reason(counters) == {"shutdown": 3, "(other)": 2_000}
