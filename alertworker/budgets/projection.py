"""LiteLLM's projection of a spend, for a period whose start and end are known. Pure."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alertworker.text.format import read_duration

#: The part of a period that must have passed before its pace is meaningful: a tenth, so 3 days of 30.
YOUNG: Final = 10
#: Calendar months. A period has at most 120.
_MONTHS: Final = re.compile(r"([1-9][0-9]{0,2})mo")
_LONGEST: Final = timedelta(days=3_660)


@dataclass(frozen=True, slots=True)
class Projection:
    """The projected spend. ``at_end_nanos`` is the spend at the period's end at the pace ``per_day_nanos``."""

    at_end_nanos: int
    per_day_nanos: int


def period_start(duration: str | None, reset_at: datetime) -> datetime | None:
    """Return when a period that ends at ``reset_at`` began, ``None`` if the duration cannot be read.

    Durations have LiteLLM's form; a month is a calendar month.

    >>> period_start("30d", datetime(2026, 12, 1)), period_start("1mo", datetime(2026, 3, 31))
    (datetime.datetime(2026, 11, 1, 0, 0), datetime.datetime(2026, 2, 28, 0, 0))
    """
    if months := _MONTHS.fullmatch(duration or ""):
        return _months_before(reset_at, int(months[1])) if int(months[1]) <= 120 else None
    try:
        length = read_duration(duration or "")
    except ValueError:
        return None
    return reset_at - length if length <= _LONGEST else None


def project(spend_nanos: int, *, start: datetime, end: datetime, now: datetime) -> Projection | None:
    """Return the spend at the end of its period, as LiteLLM projects it: the remaining time at the pace so far.

    ``None`` outside the period, and in its first tenth, when one busy hour would look like a month's pace.
    """
    length, elapsed = end - start, now - start
    if length <= timedelta() or not length / YOUNG <= elapsed < length:
        return None
    pace = spend_nanos / elapsed.total_seconds()
    return Projection(
        at_end_nanos=spend_nanos + round(pace * (end - now).total_seconds()), per_day_nanos=round(pace * 86_400)
    )


def full_at(limit_nanos: int, spend_nanos: int, *, per_day_nanos: int, now: datetime) -> datetime | None:
    """Return when a limit is reached at that pace, or ``None`` if it is already reached, or never will be."""
    if spend_nanos >= limit_nanos or per_day_nanos <= 0:
        return None
    days = (limit_nanos - spend_nanos) / per_day_nanos
    return now + timedelta(days=days) if days <= _LONGEST.days else None


def _months_before(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
