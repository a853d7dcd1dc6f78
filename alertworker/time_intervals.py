"""Stretches of the week in which a route speaks or is mute, in Alertmanager's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.errors import AlertWorkerError

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MIDNIGHT: Final = time(0)


class TimeIntervalError(AlertWorkerError):
    """A time interval cannot be read; says which part and how it looks."""


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """Certain hours on certain weekdays (0 is Monday), in a zone; what is empty is always.

    ``times`` are pairs of start, included, and end, not included; an end of 00:00 is the end of the day.
    """

    times: tuple[tuple[time, time], ...] = ()
    weekdays: frozenset[int] = frozenset()
    zone: ZoneInfo | None = None

    def contains(self, moment: datetime, *, zone: ZoneInfo) -> bool:
        """Tell whether a moment lies in it; ``zone`` holds where the interval names none."""
        local = moment.astimezone(self.zone or zone)
        if self.weekdays and local.weekday() not in self.weekdays:
            return False
        clock = local.time()
        return not self.times or any(start <= clock and (end == _MIDNIGHT or clock < end) for start, end in self.times)


def read_time(text: object) -> time:
    """Read ``HH:MM``; 24:00 is the end of the day."""
    if text == "24:00":
        return _MIDNIGHT
    try:
        return time.fromisoformat(str(text))
    except ValueError:
        raise TimeIntervalError(f'{text!r} is no time of day; write it like "09:00"') from None


def read_weekdays(text: str) -> frozenset[int]:
    """Read ``saturday`` or ``monday:friday``.

    >>> sorted(read_weekdays("monday:wednesday"))
    [0, 1, 2]
    """
    first, _, last = text.lower().partition(":")
    try:
        start, end = DAYS.index(first), DAYS.index(last or first)
    except ValueError:
        raise TimeIntervalError(f'{text!r} are no weekdays; write "saturday" or "monday:friday"') from None
    if end < start:
        raise TimeIntervalError(f"{text!r} ends before it starts; name two ranges")
    return frozenset(range(start, end + 1))
