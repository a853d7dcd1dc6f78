"""The longer an alert lasts, the longer nothing is sent about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import FLAPPING, AlertType, Severity
from alertworker.alerts.intervals import reminder_interval, summary_interval

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def test_summaries_of_failed_calls_come_after_5_min_15_min_1_h_and_4_h() -> None:
    """An alert that closes starts from the first interval."""
    found = [summary_interval(AlertType.LLM_EXCEPTIONS, number, 300) for number in range(6)]
    assert [one.total_seconds() / 60 for one in found] == [5, 15, 60, 240, 240, 240]


def test_summaries_of_hanging_calls_come_after_30_min_1_h_and_4_h() -> None:
    """Their end is a message, too. So they are at most two messages, and two more for each hour."""
    found = [summary_interval(AlertType.LLM_REQUESTS_HANGING, number, 300) for number in range(4)]
    assert [one.total_seconds() / 60 for one in found] == [30, 60, 240, 240]


@pytest.mark.parametrize(
    ("alert_type", "group_interval"), [(AlertType.LLM_EXCEPTIONS, 86_400), (AlertType.VIRTUAL_KEY_UPDATED, 300)]
)
def test_other_intervals_stay_as_they_are_set(alert_type: AlertType, group_interval: float) -> None:
    """A group interval of a day does not grow, and changes of keys are summed up in time."""
    assert summary_interval(alert_type, 5, group_interval) == timedelta(seconds=group_interval)


def test_reminders_of_a_flapping_condition_grow_to_the_repeat_interval() -> None:
    """They come 15 min, 1 h and 4 h after the first message, and then at the usual interval."""
    labels = {"deployment": "d1", FLAPPING: "true"}
    alert = Subject(
        id="1",
        type=AlertType.OUTAGE_ALERTS,
        severity=Severity.HIGH,
        headline="h",
        labels=labels,
        first_at=NOW,
        last_at=NOW,
    )
    minutes, moments = 0.0, []
    for _ in range(4):
        minutes += reminder_interval(alert, 14_400, now=NOW + timedelta(minutes=minutes)).total_seconds() / 60
        moments.append(minutes)
    assert moments == [15, 60, 240, 480]
