"""The projected spend at the end of a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alertworker.budgets.projection import full_at, period_start, project

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "start"),
    [
        ("30d", START),
        ("1mo", START),
        ("720h", START),
        ("1w", END - timedelta(days=7)),
        ("90s", END - timedelta(seconds=90)),
        ("0d", None),
        ("30", None),
        ("999999999w", None),
        ("999mo", None),
        (None, None),
    ],
)
def test_durations_are_read_in_litellms_form(duration: str | None, start: datetime | None) -> None:
    """An unreadable duration is unknown. It is not an error."""
    assert period_start(duration, END) == start


def test_the_projection_is_the_spend_and_the_rest_of_the_period_at_its_pace() -> None:
    """Ten dollars in ten days of thirty are thirty; the limit of twenty is reached on the twentieth day."""
    found = project(10, start=START, end=END, now=START + timedelta(days=10))

    assert found is not None
    assert (found.at_end_nanos, found.per_day_nanos) == (30, 1)
    assert full_at(20, 10, per_day_nanos=1, now=START + timedelta(days=10)) == START + timedelta(days=20)


@pytest.mark.parametrize("days", [-1, 0, 2.9, 30, 31])
def test_outside_the_period_and_early_in_it_nothing_is_projected(days: float) -> None:
    """The first busy hour is not a month's pace."""
    assert project(10, start=START, end=END, now=START + timedelta(days=days)) is None


def test_a_limit_that_is_reached_or_never_will_be_has_no_date() -> None:
    """No projection is better than an absurd one."""
    assert full_at(10, 10, per_day_nanos=1, now=START) is None
    assert full_at(10, 5, per_day_nanos=0, now=START) is None
    assert full_at(10**18, 5, per_day_nanos=1, now=START) is None
