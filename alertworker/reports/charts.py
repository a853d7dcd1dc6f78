"""A report's chart: spend by day, of the teams with the highest spend and of all others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from alertworker.alerts.tables import Chart, Series
from alertworker.ledger.reader import LedgerReader, SpendRow
from alertworker.reports.periods import Period
from alertworker.text.names import short_id

#: The number of teams with a colour of their own.
_TEAMS: Final = 5
#: A chart of one day shows nothing, and one of more days than the maximum is not readable.
_FEWEST_DAYS, _MOST_DAYS = 2, 62


def chart_of(ledger: LedgerReader, period: Period, teams: Sequence[SpendRow], *, team_id: str | None) -> Chart | None:
    """Return the chart of a period, of all teams or of one, or ``None`` if there is nothing to show."""
    count = (period.days.last - period.days.first).days + 1
    if not _FEWEST_DAYS <= count <= _MOST_DAYS:
        return None
    days = tuple(period.days.first + timedelta(days=number) for number in range(count))

    def by_day(own: str | None) -> tuple[int, ...]:
        sums = ledger.by_day(period.days, team_id=own)
        return tuple(sums[day].spend_nanos if day in sums else 0 for day in days)

    all_of_it = by_day(team_id)
    highest = [row for row in teams if row.entity and row.sums.spend_nanos > 0][:_TEAMS]
    series = [Series(name=row.alias or short_id(row.entity), values=by_day(row.entity)) for row in highest]
    left = tuple(whole - sum(parts) for whole, *parts in zip(all_of_it, *(one.values for one in series), strict=True))
    others = any(left) and bool(series)
    if any(left):
        series.append(Series(name="all others" if others else "all", values=left))
    return Chart(title="Spend by day", days=days, series=tuple(series), others=others) if series else None
