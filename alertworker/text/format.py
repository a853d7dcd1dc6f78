"""Durations and moments as people read and write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

#: The units in which a duration is shown, in seconds.
_SHOWN: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
#: The units in which a duration is written, in seconds; Alertmanager and LiteLLM have the same.
_WRITTEN: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw])")
#: A moment that is longer ago is before the first year. In seconds.
_LONGEST: Final = 100_000 * 604_800


def spell(duration: timedelta) -> str:
    """Return a duration as people read it: its largest unit and the next smaller one.

    >>> [spell(timedelta(seconds=seconds)) for seconds in (-1, 59, 400, 11_000, 200_000)]
    ['0 s', '59 s', '6 min 40 s', '3 h 3 min', '2 d 7 h']
    """
    seconds = max(0, round(duration.total_seconds()))
    place = next((place for place, (_, size) in enumerate(_SHOWN) if seconds >= size), len(_SHOWN) - 1)
    parts = []
    for unit, size in _SHOWN[place : place + 2]:
        count, seconds = divmod(seconds, size)
        parts.append(f"{count} {unit}" if count else "")
    return " ".join(filter(None, parts)) or "0 s"


def read_duration(text: str) -> timedelta:
    """Read a number with a unit: "90s", "30m", "2h", "1d" or "1w".

    Raises:
        ValueError: the text is not a duration, or the duration is 0 or over 100,000 weeks.

    >>> read_duration("90s"), read_duration("1w")
    (datetime.timedelta(seconds=90), datetime.timedelta(days=7))
    """
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _WRITTEN[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"invalid duration {text!r}: expected, for example, 30m, 2h or 1d")
    return timedelta(seconds=seconds)


def spell_moment(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return a moment as people read it: date, time to the second, and the zone's abbreviation or offset.

    A moment without a local time in this zone is shown in UTC.

    >>> noon = datetime(2026, 11, 30, 12, 0, 0, 5, tzinfo=UTC)
    >>> [spell_moment(noon, ZoneInfo(zone)) for zone in ("UTC", "Europe/Berlin", "America/Sao_Paulo")]
    ['2026-11-30 12:00:00 UTC', '2026-11-30 13:00:00 CET', '2026-11-30 09:00:00 UTC-03:00']
    """
    try:
        local = moment.astimezone(zone)
    except OverflowError:  # the local time is before the year 1 or after the year 9999
        local = moment.astimezone(UTC)
    name = local.strftime("%Z")
    shown = local.replace(tzinfo=None).isoformat(" ", "seconds")
    return f"{shown} {name if name.isalpha() else f'UTC{local.isoformat()[-6:]}'}"


def spell_moment_and_zone(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as people read it, with the name of the configured zone: abbreviations are ambiguous.

    >>> spell_moment_and_zone(datetime(2026, 11, 30, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    '2026-11-30 13:00:00 CET (Europe/Berlin)'
    """
    text = spell_moment(moment, zone)
    return text if text.endswith(f" {zone.key}") else f"{text} ({zone.key})"


def iso_moment(moment: datetime) -> str:
    """Return a moment for programs: ISO 8601 to the second, in UTC.

    >>> iso_moment(datetime.fromisoformat("2026-11-30T13:00:00+01:00"))
    '2026-11-30T12:00:00+00:00'
    """
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def parse_moment(value: object) -> datetime | None:
    """Return an ISO 8601 time in UTC; a time without a zone is UTC. Return ``None`` for anything else.

    >>> parse_moment("2026-11-30T13:00:00+01:00"), parse_moment("today")
    (datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.timezone.utc), None)
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
