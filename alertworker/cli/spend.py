"""``alertworker spend``: what was spent, by whom."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from alertworker.cli.spend_import import import_, reconcile
from alertworker.ledger.reader import Days, SpendRow
from alertworker.ledger.rows import DIMENSIONS, SUMS, SpendSums
from alertworker.money import dollars_from_nanos
from alertworker.text.sanitize import one_line

_DAY: Final = click.DateTime(["%Y-%m-%d"])
#: From how many per cent on a change says no more than that there was next to nothing before.
_MUCH: Final = 9_999
_NUMBERS: Final = tuple(name for name in SUMS if name != "spend_nanos")


@click.group(invoke_without_command=True)
@click.option("--by", "dimension", type=click.Choice(DIMENSIONS), default="team", show_default=True)
@click.option("--since", type=_DAY, help="First day; seven days up to --until, if not given.")
@click.option("--until", type=_DAY, help="Last day, included; today in the configured zone, if not given.")
@click.option("--team", "team_id", help='Only what one team spent, by its id; "" is no team.')
@click.option("--limit", type=click.IntRange(1, 1_000_000), help="The highest only; the total is of all.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line; spend in dollars, as exact text.")
@click.option("--csv", "form", flag_value="csv", help="With a line of names; spend in dollars, exact.")
@click.pass_context
def spend(
    ctx: click.Context,
    dimension: str,
    since: datetime | None,
    until: datetime | None,
    team_id: str | None,
    limit: int | None,
    form: str | None,
) -> None:
    """Print what was spent, highest first, beside the days before. Days are those of the configured time zone."""
    if ctx.invoked_subcommand is not None:
        return
    from alertworker.app import build_admin_store, build_ledger_reader
    from alertworker.settings import load_settings

    today = datetime.now(UTC).astimezone(load_settings().zone).date()
    try:
        days = _days(since, until, today)
        before = _before(days)
    except OverflowError:
        raise click.UsageError("the calendar has no days before these; give a later --since or --until") from None
    book = build_ledger_reader()
    rows = book.totals(dimension, days, before=before, team_id=team_id, limit=limit)
    if form == "json":
        for row in rows:
            click.echo(json.dumps(_plain(row)))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, list(_plain(_EMPTY)))
        writer.writeheader()
        writer.writerows(_plain(row) for row in rows)
    else:
        _print(rows, book.total(days, team_id=team_id), book.total(before, team_id=team_id), dimension, days)
    change = build_admin_store().ledger_zone()[1]
    if change is not None and before.first <= change.at.date() <= days.last:
        click.echo(f"Note: {change}.", err=True)


spend.add_command(import_)
spend.add_command(reconcile)


def _days(since: datetime | None, until: datetime | None, today: date) -> Days:
    last = until.date() if until else today
    first = since.date() if since else last - timedelta(days=6)
    if first > last:
        raise click.UsageError(f"--since {first} is after --until {last}; give the earlier day first")
    return Days(first, last)


def _before(days: Days) -> Days:
    """Give as many days right before those, or as many as the calendar has."""
    length = (days.last - days.first).days + 1
    return Days(date.fromordinal(max(1, days.first.toordinal() - length)), days.first - timedelta(days=1))


def _plain(row: SpendRow) -> dict[str, Any]:
    sums = asdict(row.sums)
    numbers = {name: sums[name] for name in _NUMBERS}
    money = {"spend": _exact(row.sums), "spend_before": _exact(row.before)}
    return {"entity": row.entity, "part": row.part, "alias": row.alias, **numbers, **money}


_EMPTY: Final = SpendRow("", "", "", SpendSums(), SpendSums())


def _exact(sums: SpendSums) -> str:
    return f"{dollars_from_nanos(sums.spend_nanos):f}"


def _dollars(sums: SpendSums) -> str:
    amount = dollars_from_nanos(sums.spend_nanos)
    return f"${amount:,.2f}" if amount >= Decimal("0.01") or not amount else f"${amount:.6f}"


def _change(now: SpendSums, before: SpendSums) -> str:
    if not before.spend_nanos:
        return "new" if now.spend_nanos else ""
    change = (now.spend_nanos - before.spend_nanos) * 100 / before.spend_nanos
    return f"{change:+.0f} %" if change < _MUCH else f"> {_MUCH} %"


def _print(rows: list[SpendRow], total: SpendSums, total_before: SpendSums, dimension: str, days: Days) -> None:
    console = Console()
    names = ("calls", "failed", "in", "out", "cached", "at $0", "spend", "change")
    right = [Column(name, justify="right") for name in names]
    named = Column(dimension, overflow="fold", min_width=16)
    table = Table(
        named,
        *right,
        title=f"Spend {days.first} to {days.last}; tokens in and out",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for row in rows:
        table.add_row(escape(_name(row, dimension)), *_cells(row.sums, row.before))
    table.add_section()
    table.add_row("all requests", *_cells(total, total_before), style="bold")
    console.print(table)


def _name(row: SpendRow, dimension: str) -> str:
    whole, half = row.entity or f"(no {dimension})", row.part
    if half:
        return one_line(f"{whole} / {f'{row.alias} ({half})' if row.alias and row.alias != half else half}")
    return one_line(f"{row.alias} ({whole})" if row.alias and row.alias != whole else whole)


def _cells(sums: SpendSums, before: SpendSums) -> list[str]:
    return [*(f"{getattr(sums, name):,}" for name in _NUMBERS), _dollars(sums), _change(sums, before)]
