"""The reports: their days, and what they contain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alertworker.ledger.reader import LedgerReader
from alertworker.reports import periods
from alertworker.reports.daily import daily
from alertworker.reports.fallbacks import fallbacks
from alertworker.reports.periods import Calendar, Ending, Period, containing
from alertworker.reports.report import Report, ReportKind, late_note
from alertworker.reports.spend import monthly, spend

__all__ = ["REPORTS", "Calendar", "Period", "Report", "ReportKind", "ReportSpec", "containing", "due", "late_note"]

#: Returns the report of a period, for one team if one is named, or ``None`` if it would be empty.
Build = Callable[[LedgerReader, Period, str, str | None], Report | None]


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """How a report's periods are found, and how it is built. ``by_team`` is true if teams can have their own."""

    ending: Ending
    build: Build
    by_team: bool = True


REPORTS: Final[Mapping[ReportKind, ReportSpec]] = {
    ReportKind.SPEND: ReportSpec(periods.every_days, spend),
    ReportKind.MONTHLY: ReportSpec(periods.month, monthly),
    ReportKind.DAILY: ReportSpec(periods.daily, daily, by_team=False),
    ReportKind.FALLBACKS: ReportSpec(periods.week, fallbacks, by_team=False),
}


def due(kind: ReportKind, calendar: Calendar, after: datetime | None, *, now: datetime) -> list[Period]:
    """Return the periods of a report that are due and later than the last reported one, oldest first."""
    if kind is ReportKind.DAILY:
        return periods.due_daily(calendar, after, now=now)
    return periods.due(REPORTS[kind].ending, calendar, after, now=now)
