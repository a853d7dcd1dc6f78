"""``alertworker spend import`` and ``reconcile``: import spend history, and compare the ledger with LiteLLM's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from zoneinfo import ZoneInfo

import click

from alertworker.cli.output import ONE_AS_JSON, cell, fixed, free, numeric, print_table, show_done
from alertworker.cli.params import Day, Moment
from alertworker.errors import AlertWorkerError
from alertworker.ledger.reader import Days
from alertworker.money import exact_dollars
from alertworker.text.format import spell_moment
from alertworker.text.sanitize import one_line

if TYPE_CHECKING:
    from alertworker.imports.progress import History, Left, Page
    from alertworker.imports.progress import Progress as Begun

_URL: Final = click.option(
    "--litellm-database-url",
    "url",
    envvar="LITELLM_DATABASE_URL",
    help="URL of LiteLLM's PostgreSQL database. Prefer the environment variable.",
)
#: The tolerated rounding error of floating-point dollars per day, in nano-dollars ($0.00001).
_ROUNDING: Final = 10_000
_Days = dict[tuple[str, str], tuple[int, int]]


@click.command("import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_URL
@click.option(
    "--source", help="Name of the source. Each source is imported once. Default: the file's name, or litellm."
)
@click.option(
    "--since", type=Day(), help="First day to import, in UTC. Only for LiteLLM's database. Default: its first day."
)
@click.option(
    "--until",
    type=Moment(keep_naive=True),
    help="Cut-over: the first day that is not imported, such as 2026-12-01, or a time. "
    "Without an offset it is in the configured zone, or in UTC with --daily.",
)
@click.option("--daily", is_flag=True, help="Import LiteLLM's daily sums, for days that its spend log no longer has.")
@ONE_AS_JSON
def import_(
    file: Path | None,
    url: str | None,
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    daily: bool,  # noqa: FBT001 - click passes flags so
    as_json: bool,  # noqa: FBT001
) -> None:
    """Import spend history: a FILE of sums per day (.csv, else NDJSON), or LiteLLM's spend log from its database.

    An import can be stopped and started again. No row is imported twice.
    """
    from alertworker.app import build_history
    from alertworker.budgets.configured import CapExemptions
    from alertworker.settings import load_settings

    if file is None and url is None:
        raise click.UsageError("missing source: pass a file or --litellm-database-url")
    if file is not None and (daily or since):
        raise click.UsageError("--daily and --since are only for LiteLLM's database, not for a file")
    settings, history = load_settings(), build_history()
    zone, now = settings.zone, datetime.now(UTC)
    until = _cutover(until, UTC if daily else zone, whole=daily or file is not None)
    if file is not None:
        begun = history.begin(source or file.name, until)
    else:
        _refuse_what_is_not_written(until, now)
        begun = _begin(history, source or "litellm", since, until, daily=daily)
    spend = _spend_source(file or str(url), begun, zone, daily=daily)
    left = spend.left(begun.cursor)
    _refuse_what_is_forgotten(left.first, settings.spend_retention_days, zone, now=now, file=file is not None)
    most, exempt = settings.spend_max_entities, CapExemptions(settings.budgets)
    pages = history.take(begun, spend.pages(begun.cursor), max_entities=most, exempt=exempt)
    taken = _show(begun.source, left.rows, pages)
    text = _summary(begun, taken, spend.refused, UTC if daily else zone)
    facts = {"source": begun.source, "rows": taken, "until": begun.until, "refused": spend.refused}
    show_done(text, facts, as_json=as_json)


def _begin(history: History, name: str, since: datetime | None, until: datetime | None, *, daily: bool) -> Begun:
    """Return how far LiteLLM's database was imported. Its spend log and its daily sums are two sources of one name."""
    names = (name, f"{name} daily")
    first = since.replace(tzinfo=UTC) if since else None
    return history.begin(names[daily], until, since=first, beside=names[not daily])


def _summary(begun: Begun, taken: int, refused: int, zone: tzinfo) -> str:
    skipped = f", {refused:,} skipped as invalid" if refused else ""
    return f"{begun.source}: {taken:,} rows read, before the cut-over {spell_moment(begun.until, zone)}{skipped}"


def _refuse_what_is_not_written(until: datetime | None, now: datetime) -> None:
    """Refuse a cut-over so recent that LiteLLM may still write calls before it: they would never be imported."""
    from alertworker.imports.litellm_logs import LAG

    if until is not None and until > now - LAG:
        minutes = LAG // timedelta(minutes=1)
        raise click.UsageError(
            f"--until must be at least {minutes} min in the past: LiteLLM writes calls to its log after their end. "
            f"Import after {spell_moment(until + LAG)}, or pass an earlier --until"
        )


def _refuse_what_is_forgotten(first: date | None, kept_days: int, zone: ZoneInfo, *, now: datetime, file: bool) -> None:
    """Refuse days that retention (`alertworker.pipeline.retention`) would delete within the hour.

    Raises:
        AlertWorkerError: the first day to import is in a month that is past its retention.
    """
    from alertworker.store.ledger.months import month_of

    kept_from = month_of((now - timedelta(days=kept_days)).astimezone(zone).date())
    if first is None or first >= kept_from:
        return
    midnight = datetime.combine(kept_from, time(), zone).astimezone(UTC)  # --since is a day in UTC.
    since = midnight.date() if midnight.time() == time() else midnight.date() + timedelta(days=1)
    other = f"remove the days before {kept_from} from the file" if file else f"pass --since {since}"
    enough = (now.date() - first).days + 1
    raise AlertWorkerError(
        f"the first day is {first}, and months before {kept_from} would be deleted within the hour: set "
        f"spend_retention_days ({kept_days}) to {enough} or more, also for the worker, or {other}"
    )


def _cutover(until: datetime | None, zone: tzinfo, *, whole: bool) -> datetime | None:
    """Return the cut-over as a time in UTC. With ``whole`` it must be a midnight, because daily sums have no hours."""
    if until is None:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=zone)
    if whole and until.astimezone(zone).time() != time():
        raise click.UsageError("daily sums have no hours; pass --until as a day")
    return until.astimezone(UTC)


class _SpendSource(Protocol):
    """A source of spend history. ``refused`` is the number of invalid rows that were skipped."""

    refused: int

    def left(self, cursor: str, /) -> Left: ...

    def pages(self, cursor: str, /) -> Iterable[Page]: ...


def _spend_source(place: Path | str, begun: Begun, zone: ZoneInfo, *, daily: bool) -> _SpendSource:
    """Return the source of an import: a file, or the database at a URL."""
    from alertworker.imports import files, litellm_daily, litellm_logs
    from alertworker.imports.litellm_database import open_database

    if isinstance(place, Path):
        return files.SpendFile(place, begun.until.astimezone(zone).date())
    engine = open_database(place)
    if daily:
        first = begun.since.date() if begun.since else None
        return litellm_daily.DailySpend(engine, first, begun.until.date())
    return litellm_logs.SpendLogs(engine, zone, begun.since, begun.until)


def _show(name: str, total: int, pages: Iterable[Page]) -> int:
    """Show the progress, and return how many rows were read."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
    show_default=True,
    help="The dimension to compare.",
)
@click.option("--since", type=Day(), required=True, help="First day.")
@click.option("--until", type=Day(), required=True, help="Last day, included.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, also for days that agree.")
def reconcile(url: str | None, dimension: str, since: datetime, until: datetime, as_json: bool) -> None:  # noqa: FBT001
    """Compare the ledger's days with LiteLLM's daily tables, and show where they differ.

    LiteLLM counts a call on the day of its start, in UTC. The ledger counts it on the day of its end, in the configured
    zone.
    """
    from alertworker.app import build_ledger_reader
    from alertworker.imports.litellm_database import open_database
    from alertworker.imports.litellm_logs import daily
    from alertworker.settings import load_settings

    if url is None:
        raise click.UsageError("missing --litellm-database-url")
    days = Days(since.date(), until.date())
    theirs = daily(open_database(url), dimension, days)
    ours: dict[tuple[str, str], tuple[int, int]] = {}
    ledger = build_ledger_reader()
    for number in range((days.last - days.first).days + 1):
        day = days.first + timedelta(days=number)
        for row in ledger.totals("team" if dimension == "total" else dimension, Days(day, day)):
            if dimension != "total" and not row.entity:
                continue  # LiteLLM keeps no sums of calls without a team.
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
    note = (
        ""
        if zone == "UTC"
        else f" The ledger's days are in {zone} and LiteLLM's in UTC, so days differ at their edges."
    )
    click.echo(f"{len(ours.keys() | theirs.keys()):,} compared, {differ:,} differ.{note}")
