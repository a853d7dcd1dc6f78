"""Durations and moments as they are typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType[timedelta]):
    """A number with a unit, as in Alertmanager: 90s, 30m, 2h, 1d, 1w."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        number, unit = value[:-1], value[-1:]
        if unit not in _UNITS or not number.isdigit() or not 0 < int(number) < 100_000:
            self.fail(f"{value!r} is no duration; write one like 30m, 2h or 1d", param, ctx)
        return timedelta(**{_UNITS[unit]: int(number)})


class Moment(click.ParamType[datetime]):
    """A moment with its zone (2026-11-25T09:00+01:00; without a zone it is UTC), or how long ago (2h)."""

    name = "moment"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            if value[-1:] not in _UNITS or not value[:-1].isdigit():
                self.fail(f"{value!r} is no moment; write one like 2026-11-25T09:00+01:00, or 2h for so long ago")
            return datetime.now(UTC) - Duration().convert(value, param, ctx)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


SINCE = click.option("--since", type=Moment(), help="From this moment on: 2026-11-25T09:00Z, or 2h for so long ago.")
UNTIL = click.option("--until", type=Moment(), help="Before this moment.")
