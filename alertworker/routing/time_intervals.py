"""Time intervals in which a route notifies or is mute, with Alertmanager's terms."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.errors import AlertWorkerError

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
#: The last day of the longest month, and the last year that can be configured.
_MAX_DAY: Final = 31
_MAX_YEAR: Final = 9_999
_MIDNIGHT: Final = time(0)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class TimeIntervalError(AlertWorkerError):
    """A time interval cannot be read. The error quotes the part and shows the expected form."""


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """Certain hours on certain days, in a zone. An empty field means always.

    ``times`` are pairs of start (included) and end (excluded). An end of 00:00 is the end of the day. ``weekdays``
    count from 0, Monday, and ``months`` from 1. ``days_of_month`` and ``years`` are pairs of first and last. Days
    below 0 count from the end of their month.
    """

    times: tuple[tuple[time, time], ...] = ()
    weekdays: frozenset[int] = frozenset()
    zone: ZoneInfo | None = None
    days_of_month: tuple[tuple[int, int], ...] = ()
    months: frozenset[int] = frozenset()
    years: tuple[tuple[int, int], ...] = ()

    def contains(self, moment: datetime, *, zone: ZoneInfo) -> bool:
        """Return whether a time is in the interval. ``zone`` applies if the interval has none of its own."""
        local = moment.astimezone(self.zone or zone)
        if self.weekdays and local.weekday() not in self.weekdays:
            return False
        if self.months and local.month not in self.months:
            return False
        if self.years and not any(first <= local.year <= last for first, last in self.years):
            return False
        if self.days_of_month and not self._has_day(local):
            return False
        clock = local.time()
        return not self.times or any(start <= clock and (end == _MIDNIGHT or clock < end) for start, end in self.times)

    def _has_day(self, local: datetime) -> bool:
        beyond = monthrange(local.year, local.month)[1] + 1
        from_start = [[day if day > 0 else beyond + day for day in pair] for pair in self.days_of_month]
        return any(first <= local.day <= last for first, last in from_start)


def read_times(start: object, end: object) -> tuple[time, time]:
    """Read two times of one day, ``HH:MM``. An end of 24:00, or 00:00, is the end of the day.

    >>> read_times("09:00", "24:00")
    (datetime.time(9, 0), datetime.time(0, 0))

    Raises:
        TimeIntervalError: a time is invalid, or the end is not after the start, as in a range over midnight.
    """
    first, last = _read_time(start), _MIDNIGHT if end == "24:00" else _read_time(end)
    if last != _MIDNIGHT and last <= first:
        raise TimeIntervalError(
            f'"{start}" to "{end}" ends before it starts; write two ranges, "{start}" to "24:00" and "00:00" to "{end}"'
        )
    return first, last


def _read_time(text: object) -> time:
    if not isinstance(text, str) or not _CLOCK.fullmatch(text):  # YAML reads 20:00 without quotes as a number
        raise TimeIntervalError(f'invalid time of day {text!r}; expected, in quotes, for example, "09:00"')
    return time.fromisoformat(text)


def read_weekdays(text: str) -> frozenset[int]:
    """Read ``saturday`` or ``monday:friday``.

    >>> sorted(read_weekdays("monday:wednesday"))
    [0, 1, 2]
    """
    first, last = _range(text, DAYS, "weekdays", '"saturday" or "monday:friday"')
    return frozenset(range(first - 1, last))


def read_months(text: str) -> frozenset[int]:
    """Read ``december``, ``12`` or ``january:march``.

    >>> sorted(read_months("may:8"))
    [5, 6, 7, 8]
    """
    first, last = _range(text, MONTHS, "months", '"december" or "january:march"')
    return frozenset(range(first, last + 1))


def read_days_of_month(text: str) -> tuple[int, int]:
    """Read ``1``, ``1:5`` or, from the end of the month, ``-3:-1``.

    >>> read_days_of_month("-3:-1")
    (-3, -1)
    """
    first, last = _numbers(text, "days of the month", '"1:5", or "-3:-1" for the last three')
    if not all(1 <= abs(day) <= _MAX_DAY for day in (first, last)) or first < 0 < last:
        raise TimeIntervalError(f"invalid days of the month {text!r}; expected 1 to 31, or -31 to -1")
    return _in_order(text, first, last) if first * last > 0 else (first, last)


def read_years(text: str) -> tuple[int, int]:
    """Read ``2026`` or ``2026:2028``."""
    first, last = _numbers(text, "years", '"2026" or "2026:2028"')
    if not 1 <= first <= last <= _MAX_YEAR:
        raise TimeIntervalError(f'invalid years {text!r}; expected, for example, "2026:2028"')
    return first, last


def _range(text: str, names: tuple[str, ...], what: str, example: str) -> tuple[int, int]:
    """Return the numbers, from 1 on, of the first and the last name of a range."""
    numbered = {name: number for number, name in enumerate(names, 1)}
    if names is MONTHS:  # only months may be given as numbers
        numbered |= {str(number): number for number in numbered.values()}
    first, _, last = text.lower().partition(":")
    try:
        start, end = numbered[first], numbered[last or first]
    except KeyError:
        raise TimeIntervalError(f"invalid {what} {text!r}; expected, for example, {example}") from None
    return _in_order(text, start, end)


def _numbers(text: str, what: str, example: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise TimeIntervalError(f"invalid {what} {text!r}; expected, for example, {example}") from None


def _in_order(text: str, first: int, last: int) -> tuple[int, int]:
    if last < first:
        raise TimeIntervalError(f"{text!r} ends before it starts; write two ranges")
    return first, last
