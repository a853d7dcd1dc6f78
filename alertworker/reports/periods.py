"""A report's days and its due time. Pure. Days are cut in the configured zone, also across clock changes.

A period is identified by its end. The end is claimed in SQL, and only a later one can follow it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.ledger.reader import Days

#: A Monday. Periods of several days are counted from it, so that every worker cuts the same ones.
_ANCHOR: Final = date(2024, 1, 1)
_DAY: Final = timedelta(days=1)
#: The maximum number of missed periods that are reported later.
CATCH_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Calendar:
    """When reports are due.

    Each covers ``every_days`` days, ends before ``weekday`` and is sent at ``hour``, local time.

    ``weekday`` 0 is Monday. ``daily_seconds`` is LiteLLM's ``daily_report_frequency``.
    """

    zone: ZoneInfo
    every_days: int = 7
    weekday: int = 0
    hour: int = 9
    daily_seconds: int = 43_200


@dataclass(frozen=True, slots=True)
class Period:
    """Some days, the days to compare them with, the time they ended and the time their report is due (UTC).

    ``whole`` is false for a day that has not ended.
    """

    days: Days
    before: Days
    until: datetime
    due: datetime
    whole: bool = True


#: Returns the last period that has ended when a day begins.
Ending = Callable[[Calendar, date], Period]


def every_days(calendar: Calendar, day: date) -> Period:
    """Return the period of ``every_days`` days. Periods of whole weeks end before ``weekday``."""
    return _of_length(calendar, day, calendar.every_days)


def week(calendar: Calendar, day: date) -> Period:
    """Return the week."""
    return _of_length(calendar, day, 7)


def month(calendar: Calendar, day: date) -> Period:
    """Return the calendar month, and the one before it to compare with."""
    end = day.replace(day=1)
    first = (end - _DAY).replace(day=1)
    return _period(calendar, Days(first, end - _DAY), Days((first - _DAY).replace(day=1), first - _DAY))


def daily(calendar: Calendar, day: date) -> Period:
    """Return the last complete day, or several days if the frequency is longer.

    The report is due as soon as they end.
    """
    length = max(1, calendar.daily_seconds // 86_400)
    period = _of_length(calendar, day, length)
    return Period(period.days, period.before, period.until, period.until)


def due(ending: Ending, calendar: Calendar, after: datetime | None, *, now: datetime) -> list[Period]:
    """Return the due periods that end later than the last reported one, oldest first.

    If no report was ever sent, return only the newest: the others were not expected.
    """
    day, found = now.astimezone(calendar.zone).date(), list[Period]()
    while len(found) < CATCH_UP and not (found and after is None):
        period = ending(calendar, day)
        if after is not None and period.until <= after:
            break
        if period.due <= now:
            found.append(period)
        day = period.days.first
    return found[::-1]


def due_daily(calendar: Calendar, after: datetime | None, *, now: datetime) -> list[Period]:
    """Return the daily reports that are due: complete days and, if there are several a day, the current day so far.

    Only the newest report of the current day is returned, since it contains all earlier ones. If no report was ever
    sent, return only the newest of all.
    """
    whole, so_far = due(daily, calendar, after, now=now), _so_far(calendar, now)
    if so_far is None or (after is not None and so_far.until <= after):
        return whole
    return [*whole, so_far] if after is not None else [so_far]


def _so_far(calendar: Calendar, now: datetime) -> Period | None:
    """Return the current day up to its newest slot; ``None`` before the first slot, and for whole-day reports."""
    local = now.astimezone(calendar.zone)
    if calendar.daily_seconds >= 86_400:
        return None
    passed = local.hour * 3_600 + local.minute * 60 + local.second
    seconds = passed // calendar.daily_seconds * calendar.daily_seconds
    slot = datetime.combine(local.date(), time(), calendar.zone) + timedelta(seconds=seconds)
    until = slot.astimezone(UTC)
    if not seconds or until > now:  # an hour that the clock skips has not come yet
        return None
    days = Days(local.date(), local.date())
    return Period(days, daily(calendar, local.date()).days, until, until, whole=False)


def containing(ending: Ending, calendar: Calendar, day: date) -> Period:
    """Return the period that contains a day."""
    end = day + _DAY
    while (period := ending(calendar, end)).days.last < day:
        end += _DAY
    return period


def _of_length(calendar: Calendar, day: date, length: int) -> Period:
    anchor = _ANCHOR + timedelta(days=calendar.weekday)
    end = anchor + timedelta(days=(day - anchor).days // length * length)
    first = end - timedelta(days=length)
    return _period(calendar, Days(first, end - _DAY), Days(first - timedelta(days=length), first - _DAY))


def _period(calendar: Calendar, days: Days, before: Days) -> Period:
    end = days.last + _DAY
    return Period(
        days,
        before,
        until=datetime.combine(end, time(), calendar.zone).astimezone(UTC),
        due=datetime.combine(end, time(calendar.hour), calendar.zone).astimezone(UTC),
    )
