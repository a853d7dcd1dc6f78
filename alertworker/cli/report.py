"""``alertworker report``: preview a report, or send a report that is due."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from alertworker.cli.params import Choice, Day
from alertworker.errors import AlertWorkerError

if TYPE_CHECKING:
    from alertworker.reports import Report


def _kinds() -> list[str]:
    from alertworker.reports import REPORTS

    return [kind.value for kind in REPORTS]


@click.command()
@click.argument("kind", type=Choice(_kinds))
@click.option(
    "--period",
    "day",
    type=Day(),
    help="A day within the period. Default: the last period that has ended.",
)
@click.option("--send", is_flag=True, help="Send the report, unless it or a later one of its kind was already sent.")
@click.option("--dry-run", is_flag=True, hidden=True, help="Preview the report, which is the default.")
@click.option(
    "--json",
    "form",
    flag_value="json",
    help="Print the report as JSON, with all rows and exact amounts. Sends nothing.",
)
@click.option(
    "--csv", "form", flag_value="csv", help="Print all rows of all tables as CSV, with exact amounts. Sends nothing."
)
def report(*, kind: str, day: datetime | None, send: bool, dry_run: bool, form: str | None) -> None:
    """Preview a report: print its messages and their channels. Nothing is sent or recorded without --send.

    KIND is spend, monthly, daily or fallbacks. A period that has not ended can be previewed. Days are in the configured
    time zone.
    """
    from alertworker.app import get_reporter
    from alertworker.channels.console import Console, ConsoleConfig
    from alertworker.reports import REPORTS, ReportKind, containing
    from alertworker.reports.report import spell_days

    now, reporter, which = datetime.now(UTC), get_reporter(), ReportKind(kind)
    spec, calendar = REPORTS[which], reporter.calendar
    today = now.astimezone(calendar.zone).date()
    period = containing(spec.ending, calendar, day.date()) if day else spec.ending(calendar, today)
    if send and (dry_run or form is not None):
        raise AlertWorkerError("--send excludes --dry-run, --json and --csv; pass one of them")
    if send:
        if period.until > now:
            raise AlertWorkerError(
                f"the {kind} report's period with {day:%Y-%m-%d} ends on {period.days.last}; pass an earlier --period"
            )
        if not reporter.send(which, period, now=now):
            raise AlertWorkerError(
                f"the {kind} report up to {period.days.last}, or a later one, was already sent; "
                "the command without --send prints it"
            )
        click.echo(f"reported: {period.days.first} to {period.days.last}")
        return
    reports = list(reporter.build(which, period, now=now))
    if form is not None:
        _print(reports, form)
        return
    for one in reports:
        message, channels = reporter.preview(one, now=now)
        click.echo(Console(ConsoleConfig()).render(message))
        click.echo(f"   to {', '.join(channels) or 'no channel'}\n")
    if not reports:
        click.echo(f"There is nothing to report for {spell_days(period.days.first, period.days.last)}.")


def _print(reports: Sequence[Report], form: str) -> None:
    if form == "csv":
        from alertworker.reports.csv_export import csv_of

        click.echo(csv_of([row for one in reports for row in one.rows()]), nl=False)
        return
    for one in reports:
        click.echo(json.dumps(one.plain(), ensure_ascii=False))
