"""Durations and moments as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo


def spell(duration: timedelta) -> str:
    """Give a duration as a person says it.

    >>> spell(timedelta(seconds=400))
    '6 min 40 s'
    """
    seconds = max(0, round(duration.total_seconds()))
    hours, rest = divmod(seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"


def spell_moment(moment: datetime, zone: tzinfo | None = None) -> str:
    """Return a moment as people read it: ISO 8601 to the second, in ``zone`` or else in the zone that it has.

    >>> spell_moment(datetime(2026, 11, 30, 12, 0, 0, 5, tzinfo=UTC))
    '2026-11-30T12:00:00+00:00'
    """
    return (moment if zone is None else moment.astimezone(zone)).isoformat(timespec="seconds")
