"""``alertworker spend``: print spend by a dimension."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Final

import click

from alertworker.cli.grammar import noun
from alertworker.cli.output import cell, free, numeric, print_table
from alertworker.cli.params import Day
from alertworker.cli.spend_import import import_, reconcile
from alertworker.ledger.reader import Days, SpendRow
from alertworker.ledger.rows import DIMENSIONS, SUMS, SpendSums
from alertworker.money import exact_dollars, spell_dollars

_NUMBERS: Final = tuple(name for name in SUMS if name != "spend_nanos")


@noun
def spend() -> None:
    """Print spend, import its history, and compare it with LiteLLM's. Without a command: print it."""


@spend.command("list")
@click.option(
    "--by",
    "dimension",
    type=click.Choice(DIMENSIONS),
    default="team",
    show_default=True,
    help="The dimension to sum by.",
)
@click.option("--since", type=Day(), help="First day. Default: 6 days before --until.")
@click.option("--until", type=Day(), help="Last day, included. Default: today in the configured time zone.")
@click.option("--team", "team_id", help='Only the spend of the team with this id. "" is spend without a team.')
@click.option("--limit", type=click.IntRange(1, 1_000_000), help="Only the highest rows. The total still includes all.")
@click.option(
    "--json", "form", flag_value="json", help="One JSON object a line. Spend is in dollars, as an exact string."
)
@click.option("--csv", "form", flag_value="csv", help="CSV with a header. Spend is in dollars, exact.")
def list_(
    *,
    dimension: str,
    since: datetime | None,
    until: datetime | None,
    team_id: str | None,
    limit: int | None,
    form: str | None,
) -> None:
    """Print spend, highest first, and its change from the period before. Days are in the configured time zone."""
    from alertworker.app import build_admin_store, build_ledger_reader
    from alertworker.settings import load_settings

    today = datetime.now(UTC).astimezone(load_settings().zone).date()
    try:
        days = _days(since, until, today)
        before = _before(days)
    except OverflowError:
        raise click.UsageError(
            "the period before is out of the calendar's range; pass a later --since or --until"
        ) from None
    ledger = build_ledger_reader()
    rows = ledger.totals(dimension, days, before=before, team_id=team_id, limit=limit)
    if form == "json":
        for row in rows:
            click.echo(json.dumps(_plain(row)))
    elif form == "csv":
        from alertworker.reports.csv_export import csv_of

        click.echo(csv_of(map(_plain, rows), list(_plain(_EMPTY))), nl=False)
    else:
        _print(rows, ledger.total(days, team_id=team_id), ledger.total(before, team_id=team_id), dimension, days)
    change = build_admin_store().ledger_zone()[1]
    if change is not None and before.first <= change.at.date() <= days.last:
        click.echo(f"Note: {change}.", err=True)


spend.add_command(import_)
spend.add_command(reconcile)


def _days(since: datetime | None, until: datetime | None, today: date) -> Days:
    last = until.date() if until else today
    first = since.date() if since else last - timedelta(days=6)
    if first > last:
        raise click.UsageError(f"--since {first} is after --until {last}; pass the earlier day as --since")
    return Days(first, last)


def _before(days: Days) -> Days:
    """Return the period of equal length before ``days``, or a shorter one at the start of the calendar."""
    length = (days.last - days.first).days + 1
    return Days(date.fromordinal(max(1, days.first.toordinal() - length)), days.first - timedelta(days=1))


def _plain(row: SpendRow) -> dict[str, object]:
    sums = asdict(row.sums)
    numbers = {name: sums[name] for name in _NUMBERS}
    money = {"spend": exact_dollars(row.sums.spend_nanos), "spend_before": exact_dollars(row.before.spend_nanos)}
    return {"entity": row.entity, "part": row.part, "alias": row.alias, **numbers, **money}


_EMPTY: Final = SpendRow("", "", "", SpendSums(), SpendSums())


def _print(rows: list[SpendRow], total: SpendSums, total_before: SpendSums, dimension: str, days: Days) -> None:
    numbers = map(numeric, ("calls", "failed", "in", "out", "cached", "at $0", "spend", "change"))
    shown = [(_name(row, dimension), *_cells(row.sums, row.before)) for row in rows]
    shown.append(("all requests", *_cells(total, total_before)))
    title = f"Spend {days.first} to {days.last}; tokens in and out"
    print_table([free(dimension), *numbers], shown, title=title)


def _name(row: SpendRow, dimension: str) -> str:
    whole, half = row.entity or f"(no {dimension})", row.part
    if half:
        return cell(f"{whole} / {f'{row.alias} ({half})' if row.alias and row.alias != half else half}")
    return cell(f"{row.alias} ({whole})" if row.alias and row.alias != whole else whole)


def _cells(sums: SpendSums, before: SpendSums) -> list[str]:
    from alertworker.alerts.tables import Unit, show
    from alertworker.reports.report import change_of

    counts = (show(getattr(sums, name), Unit.COUNT) for name in _NUMBERS)
    return [*counts, spell_dollars(sums.spend_nanos), change_of(sums, before)]
