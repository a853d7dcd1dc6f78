"""Periods: every day is in exactly one, in every time zone, and each period is due once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.ledger.reader import Days
from alertworker.reports import Calendar, ReportKind, containing, due, periods

UTC_ZONE = ZoneInfo("UTC")
BERLIN = Calendar(ZoneInfo("Europe/Berlin"))
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")


def test_a_week_ends_before_its_weekday() -> None:
    """Seven days, Monday to Sunday; due at the hour, in local time, summer and winter."""
    period = periods.every_days(BERLIN, date(2026, 11, 25))

    assert period.days == Days(date(2026, 11, 16), date(2026, 11, 22))
    assert period.before == Days(date(2026, 11, 9), date(2026, 11, 15))
    assert period.until == datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert period.due == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert periods.every_days(BERLIN, date(2026, 7, 1)).due == datetime(2026, 6, 29, 7, tzinfo=UTC)


@given(st.integers(1, 400), st.integers(0, 6), st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.sampled_from(ZONES))
def test_periods_of_some_days_follow_each_other(length: int, weekday: int, day: date, zone: str) -> None:
    """N days are N days; no day is in two, and none is left out."""
    calendar = Calendar(ZoneInfo(zone), every_days=length, weekday=weekday)

    period = periods.every_days(calendar, day)

    assert (period.days.last - period.days.first).days == length - 1
    assert day - timedelta(days=length) <= period.days.last < day
    earlier = periods.every_days(calendar, period.days.first)
    assert earlier.days == period.before
    assert earlier.until < period.until <= period.due
    assert containing(periods.every_days, calendar, period.days.first).days == period.days
    if length % 7 == 0:
        assert (period.days.last + timedelta(days=1)).weekday() == weekday


@pytest.mark.parametrize(
    ("day", "first", "last", "before"),
    [
        (date(2026, 12, 1), date(2026, 11, 1), date(2026, 11, 30), date(2026, 10, 1)),
        (date(2026, 1, 1), date(2025, 12, 1), date(2025, 12, 31), date(2025, 11, 1)),
        (date(2028, 3, 31), date(2028, 2, 1), date(2028, 2, 29), date(2028, 1, 1)),
    ],
    ids=["november", "over the year", "leap day"],
)
def test_a_monthly_report_is_of_the_month_that_ended(day: date, first: date, last: date, before: date) -> None:
    """The new month is not reported."""
    period = periods.month(BERLIN, day)

    assert period.days == Days(first, last)
    assert period.before.first == before
    assert period.before.last == first - timedelta(days=1)


def test_an_hour_that_the_clock_skips_still_comes_once() -> None:
    """Clocks in Berlin go from two to three on 29 March 2026; a period that ends with the 28th is due once."""
    calendar = Calendar(ZoneInfo("Europe/Berlin"), every_days=1, hour=2)
    start, after, seen = datetime(2026, 3, 28, 12, tzinfo=UTC), None, list[date]()
    for minutes in range(0, 48 * 60, 10):
        for period in due(ReportKind.SPEND, calendar, after, now=start + timedelta(minutes=minutes)):
            after = period.until
            seen.append(period.days.last)

    assert seen == [date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 29)]


def test_a_first_report_is_only_the_newest_and_missed_ones_follow_in_order() -> None:
    """Without an earlier report, none was missed. After a long pause the three newest are sent."""
    calendar, now = Calendar(UTC_ZONE, every_days=1), datetime(2026, 11, 25, 12, tzinfo=UTC)

    (first,) = due(ReportKind.SPEND, calendar, None, now=now)
    assert first.days.last == date(2026, 11, 24)
    later = due(ReportKind.SPEND, calendar, first.until, now=now + timedelta(days=10))
    assert [period.days.last.isoformat() for period in later] == ["2026-12-02", "2026-12-03", "2026-12-04"]
    assert due(ReportKind.SPEND, calendar, first.until, now=now) == []


def test_a_clock_that_steps_back_makes_nothing_due_again() -> None:
    """A period that ended no later than the last report stays reported."""
    calendar, now = Calendar(UTC_ZONE), datetime(2026, 11, 25, 12, tzinfo=UTC)
    (period,) = due(ReportKind.SPEND, calendar, None, now=now)

    for days in range(60):
        assert due(ReportKind.SPEND, calendar, period.until, now=now - timedelta(days=days)) == []


def test_a_daily_report_comes_twice_a_day_and_once_for_each_slot() -> None:
    """At noon of the day so far, at midnight of the whole day; also on the days on which clocks change."""
    start, after, seen = datetime(2026, 10, 24, 12, tzinfo=UTC), None, list[tuple[str, bool]]()
    for minutes in range(0, 48 * 60, 10):
        for period in due(ReportKind.DAILY, BERLIN, after, now=start + timedelta(minutes=minutes)):
            after = period.until
            seen.append((period.days.last.isoformat(), period.whole))

    noon, whole = False, True
    days = [("2026-10-24", noon), ("2026-10-24", whole), ("2026-10-25", noon), ("2026-10-25", whole)]
    assert seen == [*days, ("2026-10-26", noon)]
    assert due(ReportKind.DAILY, BERLIN, after, now=start) == []


@pytest.mark.parametrize(
    ("seconds", "last", "back", "expected"),
    [
        (43_200, "2026-11-24T12:00Z", "2026-11-25T12:05Z", ["24 whole", "25 so far"]),
        (43_200, "2026-11-24T12:00Z", "2026-11-25T00:05Z", ["24 whole"]),
        (43_200, "2026-11-25T00:00Z", "2026-11-25T23:00Z", ["25 so far"]),
        (3_600, "2026-11-24T23:00Z", "2026-11-25T01:05Z", ["24 whole", "25 so far"]),
        (86_400, "2026-11-20T00:00Z", "2026-11-23T01:00Z", ["20 whole", "21 whole", "22 whole"]),
        (43_200, "2026-11-10T00:00Z", "2026-11-23T13:00Z", ["20 whole", "21 whole", "22 whole", "23 so far"]),
    ],
    ids=["over noon", "over midnight", "within a day", "every hour", "days", "too many days"],
)
def test_a_day_that_ended_while_nothing_ran_is_reported_before_the_day_so_far(
    seconds: int, last: str, back: str, expected: list[str]
) -> None:
    """No later report includes a whole day. Up to three are sent, the oldest first."""
    calendar, after = Calendar(UTC_ZONE, daily_seconds=seconds), datetime.fromisoformat(last)

    found = due(ReportKind.DAILY, calendar, after, now=datetime.fromisoformat(back))

    assert [f"{period.days.last.day} {'whole' if period.whole else 'so far'}" for period in found] == expected


@given(
    st.integers(0, 366 * 24 * 60),
    st.lists(st.integers(1, 60 * 60), max_size=20),
    st.sampled_from([1_800, 3_600, 7_200, 43_200, 50_000, 86_400]),
    st.sampled_from(ZONES),
)
def test_whenever_beat_looks_each_day_is_reported_whole_once_and_in_order(
    start: int, pauses: list[int], seconds: int, zone: str
) -> None:
    """Pauses of up to two and a half days, in minutes; a day so far is never reported after its whole day."""
    calendar = Calendar(ZoneInfo(zone), daily_seconds=seconds)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    seen = due(ReportKind.DAILY, calendar, None, now=now)
    for pause in pauses:
        now += timedelta(minutes=pause)
        seen += due(ReportKind.DAILY, calendar, seen[-1].until, now=now)

    ends = [period.until for period in seen]
    assert ends == sorted(set(ends))
    assert ends[-1] <= now
    days = [period.days.last for period in seen if period.whole]
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    newest = periods.daily(calendar, now.astimezone(calendar.zone).date())
    assert newest.until < ends[0] or newest.days.last in days


def test_daily_reports_of_days_are_not_of_days_so_far() -> None:
    """A frequency of two days is two days."""
    calendar = Calendar(UTC_ZONE, daily_seconds=172_800)

    (period,) = due(ReportKind.DAILY, calendar, None, now=datetime(2026, 11, 25, 12, tzinfo=UTC))

    assert (period.whole, (period.days.last - period.days.first).days) == (True, 1)


def test_before_its_hour_nothing_is_due() -> None:
    """A minute before nine it is still the week before that counts."""
    calendar = Calendar(ZoneInfo("Asia/Kolkata"))
    nine = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)

    (early,) = due(ReportKind.SPEND, calendar, None, now=nine - timedelta(minutes=1))
    (late,) = due(ReportKind.SPEND, calendar, None, now=nine)
    assert (early.days.last, late.days.last) == (date(2026, 11, 15), date(2026, 11, 22))
