"""``/spend``: spend by entity and by day, and the budgets that are near their limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from alertworker.budgets.readings import NEAR_LIMIT
from alertworker.ledger.reader import Days, SpendRow
from alertworker.ledger.rows import DIMENSIONS, SpendSums
from alertworker.reports.report import change_of
from alertworker.text.names import shorten_hashes
from alertworker.web.pages.budgets import budget_rows
from alertworker.web.pages.parsing import TypedError, read_day
from alertworker.web.pages.views import Visit, page

#: How many entities the table lists, and how many contributors to one entity.
_MOST: Final = 100
_CONTRIBUTORS: Final = 15
#: The longest period, in days.
_LONGEST: Final = 400
_DIMENSIONS: Final = tuple(name for name in DIMENSIONS if "/" not in name)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart. Position, width and height are in thousandths of the chart."""

    day: date
    sums: SpendSums
    left: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class SpendEntry:
    """An entity of the table: its name and id, its link, its share of the highest spend, its change and its sums."""

    name: str
    under: str
    link: str | None
    share: float
    change: str
    sums: SpendSums


def spend(visit: Visit) -> Response:
    """Show the requested period and its change from the period before."""
    by = visit.parameter("by") if visit.parameter("by") in _DIMENSIONS else "team"
    team, wrong = visit.parameter("team") or None, None
    today = visit.now.astimezone(visit.context.zone).date()
    try:
        days = _days(visit.parameter("from"), visit.parameter("until"), today)
    except TypedError as error:
        days, wrong = Days(today - timedelta(days=6), today), str(error)
    before = _before(days)
    ledger = visit.context.ledger
    rows = ledger.totals(by, days, before=before, team_id=team, limit=_MOST)
    query = {"by": by, "team": team or "", "from": days.first.isoformat(), "until": days.last.isoformat()}
    entity = next(
        (row for row in rows if visit.parameter("of") and shorten_hashes(row.entity) == visit.parameter("of")), None
    )
    contributors = ledger.top_contributors(by, entity.entity, days, limit=_CONTRIBUTORS) if entity is not None else {}
    total, total_before = ledger.total(days, team_id=team), ledger.total(before, team_id=team)
    return visit.show(
        "spend.html",
        by=by,
        team=team,
        days=days,
        wrong=wrong,
        dimensions=_DIMENSIONS,
        total=total,
        change=change_of(total, total_before),
        is_new=total.spend_nanos > 0 and not total_before.spend_nanos,
        rows=_rows(rows, by, query),
        more=len(rows) == _MOST,
        bars=_bars(ledger.by_day(days, team_id=team), days),
        presets=_presets(today, days, query),
        entity=_name(entity, by)[0] if entity is not None else None,
        behind={dimension: _rows(found, dimension, None) for dimension, found in contributors.items()},
        near=[one for one in budget_rows(visit, ended=0) if one.share is not None and one.share >= NEAR_LIMIT],
        status=422 if wrong else 200,
    )


def _days(first: str, last: str, today: date) -> Days:
    until = read_day(last) or today
    since = read_day(first) or until - timedelta(days=6)
    if since > until:
        raise TypedError(f"the first day, {since}, is after the last day, {until}; swap them")
    if (until - since).days >= _LONGEST:
        raise TypedError(f"the period is over {_LONGEST} days; enter a later first day")
    return Days(since, until)


def _before(days: Days) -> Days:
    length = days.last - days.first + timedelta(days=1)
    return Days(days.first - length, days.last - length)


def _presets(today: date, days: Days, query: dict[str, str]) -> list[tuple[str, str, bool]]:
    """Return the preset periods: name, URL, and whether the period is the one shown."""
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    periods = {
        "today": (today, today),
        "7 days": (today - timedelta(days=6), today),
        "30 days": (today - timedelta(days=29), today),
        "this month": (month, today),
        "last month": (last_month, month - timedelta(days=1)),
    }
    return [
        (name, _address(query | {"from": first.isoformat(), "until": last.isoformat()}), Days(first, last) == days)
        for name, (first, last) in periods.items()
    ]


def _rows(rows: list[SpendRow], by: str, query: dict[str, str] | None) -> list[SpendEntry]:
    greatest = max((row.sums.spend_nanos for row in rows), default=0)
    return [
        SpendEntry(
            *_name(row, by),
            _address(query | {"of": shorten_hashes(row.entity)})
            if query and row.entity and by in ("team", "key", "user")
            else None,
            100 * row.sums.spend_nanos / greatest if greatest else 0.0,
            change_of(row.sums, row.before),
            row.sums,
        )
        for row in rows
    ]


def _name(row: SpendRow, by: str) -> tuple[str, str]:
    """Return an entity's name and, if it differs, its id."""
    whole = row.part or row.entity
    if not whole:
        return f"(no {by})", ""
    return (row.alias, whole) if row.alias and row.alias != whole else (whole, "")


def _bars(sums: dict[date, SpendSums], days: Days) -> list[Bar]:
    count = (days.last - days.first).days + 1
    greatest = max((one.spend_nanos for one in sums.values()), default=0)
    width = 1_000 / count
    bars = []
    for number in range(count):
        day = days.first + timedelta(days=number)
        own = sums.get(day, SpendSums())
        height = 1_000 * own.spend_nanos / greatest if greatest else 0.0
        bars.append(Bar(day, own, number * width, width * 0.82, height))
    return bars


def _address(query: dict[str, str]) -> str:
    return "/spend?" + urlencode({name: value for name, value in query.items() if value})


ROUTES: Final = (page("/spend", spend),)
