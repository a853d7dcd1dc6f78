"""What people type into forms and addresses: matchers, moments and days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.errors import AlertWorkerError
from alertworker.routing.matchers import Matcher, parse

#: Years in which days can be counted forwards and backwards.
_YEARS: Final = (2000, 2999)


class TypedError(AlertWorkerError):
    """What was typed cannot be read; says how it is written."""


def read_matchers(text: str) -> tuple[Matcher, ...]:
    """Read matchers: one a line, or with commas between them; commas in quotes are text.

    Raises:
        MatcherError: naming the one that is none.

    >>> [str(matcher) for matcher in read_matchers('team="a,b", model=~"gpt.*"')]
    ['team="a,b"', 'model=~"gpt.*"']
    """
    parts, start, quoted, escaped = [], 0, False, False
    for place, letter in enumerate(text):
        if letter == '"' and not escaped:
            quoted = not quoted
        if letter in ",\n" and not quoted:
            parts.append(text[start:place])
            start = place + 1
        escaped = letter == "\\" and not escaped
    parts.append(text[start:])
    return tuple(parse(part.strip()) for part in parts if part.strip())


def read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Read a moment as a browser's field gives it, in this zone unless it names one; ``None`` where there is none.

    >>> read_moment("2026-11-25T09:00", ZoneInfo("Europe/Berlin")).isoformat()
    '2026-11-25T08:00:00+00:00'
    """
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise TypedError(f"{text[:40]!r} is no moment; write one like 2026-11-25T09:00") from None


def read_day(text: str) -> date | None:
    """Read a day; ``None`` where there is none."""
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or not _YEARS[0] <= day.year <= _YEARS[1]:
        raise TypedError(f"{text[:40]!r} is no day; write one like 2026-11-25")
    return day
