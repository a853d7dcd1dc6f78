"""The day of an epoch second is the day of its time in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from alertworker.events.base import MAX_MOMENT, MIN_MOMENT
from alertworker.ledger.time_zone import day_of

ZONES = sorted(available_timezones())
MOMENTS = st.datetimes(
    MIN_MOMENT.replace(tzinfo=None), MAX_MOMENT.replace(tzinfo=None), timezones=st.just(UTC), allow_imaginary=False
)


@given(MOMENTS, st.sampled_from(ZONES))
def test_an_epoch_second_is_on_the_day_of_its_time(at: datetime, name: str) -> None:
    zone = ZoneInfo(name)

    assert day_of(at.timestamp(), zone) == at.astimezone(zone).date()


@given(st.dates(MIN_MOMENT.date(), MAX_MOMENT.date()), st.sampled_from(ZONES))
def test_a_day_begins_with_a_whole_minute(day: date, name: str) -> None:
    """Days are found by minutes, so that one look-up serves all events of a minute."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(name))

    assert midnight.timestamp() % 60 == 0
