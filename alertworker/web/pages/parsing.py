"""Read the times and days that users enter in forms and URLs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.errors import AlertWorkerError
from alertworker.text.shorten import ELLIPSIS, shorten

#: The years that are accepted, so that days can be added and subtracted without overflow.
_YEARS: Final = (2000, 2999)


class TypedError(AlertWorkerError):
    """An input cannot be parsed. The message shows the expected form."""


def read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the time of a browser's field, or ``None`` if it is empty. Without an offset the time is in ``zone``.

    >>> read_moment("2026-11-25T09:00", ZoneInfo("Europe/Berlin")).isoformat()
    '2026-11-25T08:00:00+00:00'
    """
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        shown = shorten(text, 40, ELLIPSIS)
        raise TypedError(f"invalid time {shown!r}: expected, for example, 2026-11-25T09:00") from None


def read_day(text: str) -> date | None:
    """Return the day of a browser's field, or ``None`` if it is empty."""
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or not _YEARS[0] <= day.year <= _YEARS[1]:
        raise TypedError(f"invalid day {shorten(text, 40, ELLIPSIS)!r}: expected, for example, 2026-11-25")
    return day
