"""Reads the moments and days that people type into forms and addresses."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.errors import AlertWorkerError
from alertworker.text.shorten import ELLIPSIS, shorten

#: Years in which days can be counted forwards and backwards.
_YEARS: Final = (2000, 2999)


class TypedError(AlertWorkerError):
    """The input cannot be read; the message shows the expected form."""


def read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Return a moment from a browser's field, in this zone unless it names one; ``None`` if it is empty.

    >>> read_moment("2026-11-25T09:00", ZoneInfo("Europe/Berlin")).isoformat()
    '2026-11-25T08:00:00+00:00'
    """
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise TypedError(f"{shorten(text, 40, ELLIPSIS)!r} is no moment; write one like 2026-11-25T09:00") from None


def read_day(text: str) -> date | None:
    """Return a day, ``None`` if the text is empty."""
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or not _YEARS[0] <= day.year <= _YEARS[1]:
        raise TypedError(f"{shorten(text, 40, ELLIPSIS)!r} is no day; write one like 2026-11-25")
    return day
