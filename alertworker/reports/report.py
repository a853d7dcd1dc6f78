"""A report as data: its totals, tables and notes, and the alert that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.tables import Attachment, Chart, Table, Unit, show
from alertworker.ledger.rows import SpendSums
from alertworker.money import exact_dollars, spell_dollars
from alertworker.reports.csv_export import BOM, csv_of
from alertworker.reports.periods import Period
from alertworker.reports.tables import change
from alertworker.text.format import spell_moment
from alertworker.text.shorten import ELLIPSIS, shorten

#: The number of table entries in a message, and the maximum length of each name. Together they fit into chat messages.
MAX_SHOWN: Final = 8
MAX_NAME: Final = 40
#: The number of rows in a mail attachment: about 5 MB.
MAX_ATTACHED: Final = 50_000


class ReportKind(StrEnum):
    """The reports, by the names that people request them with."""

    SPEND = "spend"
    MONTHLY = "monthly"
    DAILY = "daily"
    FALLBACKS = "fallbacks"


@dataclass(frozen=True, slots=True)
class Section:
    """One table. ``rows`` are all rows, exact, by column.

    ``line`` is its one-line form in messages, ``table`` its displayed form.
    """

    title: str
    rows: tuple[Mapping[str, object], ...]
    line: str
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A report's content. ``notes`` are label and value, in order.

    ``team_id`` is set if the report covers one team only. ``team`` is then that team's name, or its id if it has
    none. ``read_at`` is when the figures of a day that has not ended were read.
    """

    kind: ReportKind
    type: AlertType
    headline: str
    period: Period
    total: SpendSums
    before: SpendSums
    sections: tuple[Section, ...]
    notes: Mapping[str, str] = field(default_factory=dict)
    team_id: str | None = None
    team: str | None = None
    chart: Chart | None = None
    read_at: datetime | None = None

    @property
    def facts(self) -> dict[str, str]:
        """The facts of the message: a line for each table, then the notes, without empty ones."""
        facts = {section.title: section.line for section in self.sections} | dict(self.notes)
        return {name: value for name, value in facts.items() if value}

    def alert(self) -> Alert:
        """Return the alert that carries the report: a notice, one for each kind, period and team."""
        days = f"{self.period.days.first}/{self.period.days.last}"
        identity = {"report": self.kind.value, "period": days, "until": self.period.until.isoformat()}
        if self.team_id is not None:
            identity["team_id"] = self.team_id
        return Alert(
            type=self.type,
            severity=Severity.LOW,
            identity=identity,
            headline=self.headline,
            first_at=self.read_at or self.period.until,
            last_at=self.read_at or self.period.until,
            labels={"team": self.team} if self.team else {},
            facts=self.facts,
            tables=tuple(section.table for section in self.sections if section.table is not None),
            chart=self.chart,
            attachments=self.attachments(),
        )

    def attachments(self) -> tuple[Attachment, ...]:
        """Return all rows of all tables as a CSV file, if there are any.

        Rows beyond `MAX_ATTACHED` are cut, visibly.
        """
        rows = self.rows()
        if (left := len(rows) - MAX_ATTACHED) > 0:
            advice = f"… and {left:,} more; `alertworker report {self.kind.value} --csv` prints them all"
            rows = [*rows[:MAX_ATTACHED], {"table": advice}]
        name = f"{self.kind.value}-{self.period.days.first}-{self.period.days.last}.csv"
        content = f"{BOM}{csv_of(rows)}"
        return (Attachment(name=name, media_type="text/csv", content=content),) if rows else ()

    def rows(self) -> list[dict[str, object]]:
        """Return all rows of all tables as one list. Each row names its report and table."""
        days = self.period.days
        own = {"report": self.kind.value, "team_id": self.team_id, "first": str(days.first), "last": str(days.last)}
        total = {**plain_sums(self.total), "spend_before": plain_sums(self.before)["spend"]}
        found = [own | {"table": section.title, **row} for section in self.sections for row in section.rows]
        return [own | {"table": "All", "entity": "", "alias": "", **total}, *found] if self.total.requests else found

    def plain(self) -> dict[str, object]:
        """Return the report for programs: all rows of all tables, with money in dollars as exact strings."""
        return {
            "kind": self.kind.value,
            "headline": self.headline,
            "first": self.period.days.first.isoformat(),
            "last": self.period.days.last.isoformat(),
            "whole": self.period.whole,
            "team_id": self.team_id,
            "total": plain_sums(self.total),
            "before": plain_sums(self.before),
            "sections": {section.title: list(section.rows) for section in self.sections},
            "notes": dict(self.notes),
        }


def plain_sums(sums: SpendSums) -> dict[str, object]:
    """Return sums for programs."""
    values = asdict(sums)
    values["spend"] = exact_dollars(values.pop("spend_nanos"))
    return values


def title(what: str, period: Period, zone: str, total: SpendSums, before: SpendSums) -> str:
    """Return the headline: the report, its days and the amount.

    A day that has not ended is not compared with a complete one.
    """
    moment = "" if period.whole else " so far"
    change = change_of(total, before) if period.whole else ""
    amount = f"{spell_dollars(total.spend_nanos)}{f' ({change})' if change else ''}"
    return f"{what} {spell_days(period.days.first, period.days.last)}{moment} ({zone}): {amount}"


def change_of(sums: SpendSums, before: SpendSums) -> str:
    """Return the change in spend: "+9 %", "new", or "" if there is nothing to compare.

    >>> change_of(SpendSums(spend_nanos=109), SpendSums(spend_nanos=100)), change_of(SpendSums(), SpendSums())
    ('+9 %', '')
    """
    return show(change(sums, before), Unit.CHANGE)


def shorten_name(name: str) -> str:
    """Return a name, cut to the space in a line.

    >>> shorten_name("x" * 50)[-3:], len(shorten_name("x" * 50))
    ('xx…', 40)
    """
    return shorten(name, MAX_NAME, ELLIPSIS)


def late_note(period: Period, zone: ZoneInfo, *, now: datetime, patience: float) -> dict[str, str]:
    """Return a note that the report is late, if it is late by more than ``patience`` seconds."""
    if (now - period.due).total_seconds() <= patience:
        return {}
    return {"Sent late": f"it was due at {spell_moment(period.due, zone)}"}


def spell_days(first: date, last: date) -> str:
    """Return days as people write them.

    >>> spell_days(date(2026, 11, 16), date(2026, 11, 22)), spell_days(date(2026, 12, 28), date(2027, 1, 3))
    ('16 to 22 Nov 2026', '28 Dec 2026 to 3 Jan 2027')
    """
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {end}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} to {end}"
