"""The spend of a period by team and by tag, compared with the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from alertworker.alerts.catalogue import AlertType
from alertworker.ledger.reader import LedgerReader, SpendRow
from alertworker.ledger.rows import SpendSums
from alertworker.money import exact_dollars, spell_dollars
from alertworker.reports.charts import chart_of
from alertworker.reports.periods import Period
from alertworker.reports.report import (
    MAX_SHOWN,
    Report,
    ReportKind,
    Section,
    change_of,
    plain_sums,
    shorten_name,
    title,
)
from alertworker.reports.tables import spend_table
from alertworker.text.names import short_id

_TABLES: Final = ("team", "tag")
#: A team's own report shows the keys, models and tags behind its spend instead of the other teams.
_TABLES_OF_TEAM: Final = ("key", "model", "tag")


def spend(ledger: LedgerReader, period: Period, zone: str, team_id: str | None = None) -> Report | None:
    """Return the spend report of all teams or of one, or ``None`` if neither period has calls."""
    return report(ReportKind.SPEND, "Spend", ledger, period, zone, team_id)


def monthly(ledger: LedgerReader, period: Period, zone: str, team_id: str | None = None) -> Report | None:
    """Return the report of a month that has ended."""
    return report(ReportKind.MONTHLY, "Monthly spend", ledger, period, zone, team_id)


def report(
    kind: ReportKind, what: str, ledger: LedgerReader, period: Period, zone: str, team_id: str | None
) -> Report | None:
    """Build a spend report."""
    total, before = ledger.total(period.days, team_id=team_id), ledger.total(period.before, team_id=team_id)
    if not total.requests and not before.requests:
        return None
    tables = _TABLES if team_id is None else _TABLES_OF_TEAM
    rows = {table: ledger.totals(table, period.days, before=period.before, team_id=team_id) for table in tables}
    team = None if team_id is None else _team(ledger, team_id, period)
    whose = what if team is None else f"{what} of team {shorten_name(short_id(team))},"
    return Report(
        kind,
        AlertType.SPEND_REPORTS,
        title(whose, period, zone, total, before),
        period,
        total,
        before,
        tuple(section(table, rows[table], total, before, compare=period.whole) for table in tables),
        notes(total, rows),
        team_id,
        team,
        chart_of(ledger, period, rows.get("team", []), team_id=team_id),
    )


def section(dimension: str, rows: Sequence[SpendRow], total: SpendSums, before: SpendSums, *, compare: bool) -> Section:
    """Return the table of a dimension. Tags have no sum, since a call may have several."""
    named = [row for row in rows if row.entity]
    parts = [_part(row, compare=compare) for row in named[:MAX_SHOWN]]
    if rest := named[MAX_SHOWN:]:
        sums = spell_dollars(sum(row.sums.spend_nanos for row in rest))
        parts.append(f"and {len(rest):,} more{'' if dimension == 'tag' else f' {sums}'}")
    plain = tuple(
        {
            "entity": row.entity,
            "alias": row.alias,
            **plain_sums(row.sums),
            "spend_before": exact_dollars(row.before.spend_nanos),
        }
        for row in rows
    )
    table = spend_table(dimension, rows, total, before, compare=compare)
    return Section(f"By {dimension}", plain, " · ".join(parts), table)


def notes(total: SpendSums, tables: Mapping[str, Sequence[SpendRow]]) -> dict[str, str]:
    """Return the numbers of calls, the spend without a team or tag if others have one, and calls without a price."""
    said = {"Requests": f"{total.requests:,}, {total.failures:,} failed"}
    said["Tokens"] = f"{total.prompt_tokens:,} in, {total.completion_tokens:,} out"
    for dimension, rows in tables.items():
        without = next((row for row in rows if not row.entity and row.sums.spend_nanos), None)
        if without is not None and (dimension == "team" or len(rows) > 1):
            said[f"No {dimension}"] = spell_dollars(without.sums.spend_nanos)
    if total.zero_priced:
        said["Priced $0"] = f"{total.zero_priced:,} requests; their price may be missing"
    return said


def _part(row: SpendRow, *, compare: bool) -> str:
    change = change_of(row.sums, row.before) if compare else ""
    return " ".join(
        part
        for part in (shorten_name(row.alias or short_id(row.entity)), spell_dollars(row.sums.spend_nanos), change)
        if part
    )


def _team(ledger: LedgerReader, team_id: str, period: Period) -> str:
    rows = ledger.totals("team", period.days, before=period.before, team_id=team_id, limit=1)
    return next((row.alias for row in rows if row.alias), team_id)
