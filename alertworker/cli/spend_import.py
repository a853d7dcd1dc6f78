"""``alertworker spend import`` and ``reconcile``: books that were kept elsewhere, brought in and compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from alertworker.cli.output import cell, fixed, free, numeric, print_table
from alertworker.errors import AlertWorkerError
from alertworker.imports.progress import Left, Page
from alertworker.imports.progress import Progress as Begun
from alertworker.ledger.reader import Days
from alertworker.money import exact_dollars
from alertworker.store.ledger.months import month_of
from alertworker.text.sanitize import one_line

_DAY: Final = click.DateTime(["%Y-%m-%d"])
_MOMENT: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])
_URL: Final = click.option(
    "--litellm-database-url", "url", envvar="LITELLM_DATABASE_URL", help="LiteLLM's PostgreSQL; better by environment."
)


#: What floating dollars may be off by, summed over a day: a hundred-thousandth of a dollar.
_ROUNDING: Final = 10_000
_Days = dict[tuple[str, str], tuple[int, int]]


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_URL
@click.option("--source", help="What to call it; one source is taken once. The file's name, or litellm, if not given.")
@click.option("--since", type=_DAY, help="First day of LiteLLM's, in UTC, that is imported; its first, if not given.")
@click.option(
    "--until",
    type=_MOMENT,
    help="Cut-over: the first day that is not imported, in the configured zone (with --daily in UTC), or a moment.",
)
@click.option("--daily", is_flag=True, help="LiteLLM's daily sums, for days that its spend log has no more.")
def import_(
    file: Path | None,
    url: str | None,
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    daily: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Bring in history: a FILE of sums per day (.csv, else NDJSON), or LiteLLM's spend log from its database.

    May be stopped and started again; what was taken is not taken twice.
    """
    from alertworker.app import build_history
    from alertworker.budgets.configured import CapExemptions
    from alertworker.settings import load_settings

    if file is None and url is None:
        raise click.UsageError("give a file, or --litellm-database-url")
    if file is not None and (daily or since):
        raise click.UsageError("--daily and --since are for LiteLLM's database; a file's rows say their days")
    settings, history = load_settings(), build_history()
    zone, now = settings.zone, datetime.now(UTC)
    until = _cutover(until, UTC if daily else zone, whole=daily or file is not None)
    if file is not None:
        begun = history.begin(source or file.name, until)
    else:
        _refuse_what_is_not_written(until, now)
        names = (source or "litellm", f"{source or 'litellm'} daily")
        first = since.replace(tzinfo=UTC) if since else None
        begun = history.begin(names[daily], until, since=first, beside=names[not daily])
    books = _books(file or str(url), begun, zone, daily=daily)
    left = books.left(begun.cursor)
    _refuse_what_is_forgotten(left.first, settings.spend_retention_days, zone, now=now, file=file is not None)
    most, exempt = settings.spend_max_entities, CapExemptions(settings.budgets)
    pages = history.take(begun, books.pages(begun.cursor), max_entities=most, exempt=exempt)
    taken = _show(begun.source, left.rows, pages)
    left_out = f", {books.refused:,} of them left out: they cannot be calls" if books.refused else ""
    before = begun.until.astimezone(UTC if daily else zone).isoformat(" ", "minutes")
    click.echo(f"{begun.source}: {taken:,} rows read, of what happened before {before}{left_out}")


def _refuse_what_is_not_written(until: datetime | None, now: datetime) -> None:
    """Refuse a cut-over that LiteLLM's books have not reached for sure: what they get later would never be read."""
    from alertworker.imports.litellm_logs import LAG

    if until is not None and until > now - LAG:
        minutes = LAG // timedelta(minutes=1)
        raise click.UsageError(
            f"LiteLLM writes calls into its books after their end, and what comes late would be left out: --until must "
            f"be {minutes} minutes past; import again after {(until + LAG).isoformat(' ', 'minutes')}, or give an "
            "earlier one"
        )


def _refuse_what_is_forgotten(first: date | None, kept_days: int, zone: ZoneInfo, *, now: datetime, file: bool) -> None:
    """Refuse days that the next pass over what is old (`alertworker.pipeline.retention`) would take away again.

    Raises:
        AlertWorkerError: the first day of what is left is in a month that is forgotten.
    """
    kept_from = month_of((now - timedelta(days=kept_days)).astimezone(zone).date())
    if first is None or first >= kept_from:
        return
    midnight = datetime.combine(kept_from, time(), zone).astimezone(UTC)  # --since is a day in UTC
    since = midnight.date() if midnight.time() == time() else midnight.date() + timedelta(days=1)
    other = f"take what is before {kept_from} out of the file" if file else f"give --since {since}"
    enough = (now.date() - first).days + 1
    raise AlertWorkerError(
        f"the first day is {first}, and months before {kept_from} would be forgotten within the hour: set "
        f"spend_retention_days ({kept_days}) to {enough} or more, for the worker, too, or {other}"
    )


def _cutover(until: datetime | None, zone: tzinfo, *, whole: bool) -> datetime | None:
    """Return the cut-over as a moment in UTC; ``whole`` is for sums of days, which have no hours."""
    if until is None:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=zone)
    if whole and until.astimezone(zone).time() != time():
        raise click.UsageError("sums of days have no hours: give --until as a day")
    return until.astimezone(UTC)


class _Books(Protocol):
    """Books that were kept elsewhere: what is left of them, and how many rows cannot be read."""

    refused: int

    def left(self, cursor: str, /) -> Left: ...

    def pages(self, cursor: str, /) -> Iterable[Page]: ...


def _books(place: Path | str, begun: Begun, zone: ZoneInfo, *, daily: bool) -> _Books:
    """Return the source of an import: a file, or the database at a URL."""
    from alertworker.imports import files, litellm_daily, litellm_logs
    from alertworker.store import make_engine

    if isinstance(place, Path):
        return files.SpendFile(place, begun.until.astimezone(zone).date())
    engine = make_engine(place)
    if daily:
        first = begun.since.date() if begun.since else None
        return litellm_daily.DailySpend(engine, first, begun.until.date())
    return litellm_logs.SpendLogs(engine, zone, begun.since, begun.until)


def _show(name: str, total: int, pages: Iterable[Page]) -> int:
    """Show the progress, and return how many rows were read."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    taken = 0
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(escape(one_line(name)), total=total)
        for page in pages:
            taken += page.rows
            progress.advance(task, page.rows)
    return taken


@click.command()
@_URL
@click.option(
    "--by",
    "dimension",
    type=click.Choice(("total", "team", "tag", "key", "user", "customer", "organization")),
    default="total",
)
@click.option("--since", type=_DAY, required=True, help="First day.")
@click.option("--until", type=_DAY, required=True, help="Last day, included.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, also for days that agree.")
def reconcile(url: str | None, dimension: str, since: datetime, until: datetime, as_json: bool) -> None:  # noqa: FBT001
    """Compare the ledger's days with LiteLLM's daily tables, and show where they differ.

    LiteLLM cuts days in UTC, by the start of a call; the ledger in the configured zone, by its end.
    """
    from alertworker.app import build_ledger_reader
    from alertworker.imports.litellm_logs import daily
    from alertworker.settings import load_settings
    from alertworker.store import make_engine

    if url is None:
        raise click.UsageError("give --litellm-database-url")
    days = Days(since.date(), until.date())
    theirs = daily(make_engine(url), dimension, days)
    ours: dict[tuple[str, str], tuple[int, int]] = {}
    book = build_ledger_reader()
    for number in range((days.last - days.first).days + 1):
        day = days.first + timedelta(days=number)
        for row in book.totals("team" if dimension == "total" else dimension, Days(day, day)):
            if dimension != "total" and not row.entity:
                continue  # LiteLLM keeps no sums of calls without a team
            place = (str(day), "" if dimension == "total" else row.entity)
            requests, nanos = ours.get(place, (0, 0))
            ours[place] = (requests + row.sums.requests, nanos + row.sums.spend_nanos)
    _compare(ours, theirs, dimension, load_settings().time_zone, as_json=as_json)


def _compare(ours: _Days, theirs: _Days, dimension: str, zone: str, *, as_json: bool) -> None:
    rows: list[tuple[str, ...]] = []
    differ = 0
    for place in sorted(ours.keys() | theirs.keys()):
        (requests, nanos), (their_requests, their_nanos) = ours.get(place, (0, 0)), theirs.get(place, (0, 0))
        same = requests == their_requests and abs(nanos - their_nanos) <= _ROUNDING
        differ += not same
        money = [exact_dollars(amount) for amount in (nanos, their_nanos, nanos - their_nanos)]
        if as_json:
            names = ("day", dimension, "requests", "litellm_requests", "spend", "litellm_spend", "difference")
            click.echo(json.dumps(dict(zip(names, (*place, requests, their_requests, *money), strict=True))))
        elif not same:
            rows.append((place[0], cell(place[1] or "all"), f"{requests:,}", f"{their_requests:,}", *money))
    if as_json:
        return
    if rows:
        numbers = map(numeric, ("requests", "LiteLLM's", "spend", "LiteLLM's", "difference"))
        print_table([fixed("day"), free(dimension), *numbers], rows)
    note = "" if zone == "UTC" else f" Days are cut in {zone} here and in UTC there, so that edges of days differ."
    click.echo(f"{len(ours.keys() | theirs.keys()):,} compared, {differ:,} differ.{note}")
