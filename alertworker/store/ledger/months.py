"""The ledger's rows of a range of days. Whole months have their own table: a year is 12 rows an entity, not 365."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Date,
    FromClause,
    Select,
    Subquery,
    Table,
    func,
    literal,
    select,
    union_all,
)

from alertworker.ledger.reader import Days
from alertworker.ledger.rows import SUMS, SpendSums
from alertworker.store.schema.ledger import LEDGER_START, MONTHLY, SPEND, SPEND_MONTHS
from alertworker.store.sums import capped_sum

_ONE_DAY: Final = timedelta(days=1)
#: The last day of the last month that a date can follow. No date follows December 9999.
_LAST: Final = date(9999, 11, 30)


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """The ledger's rows of a dimension; ``only`` restricts columns ("team_id", "entity", "part") to some values."""

    dimension: str
    only: Mapping[str, Collection[str] | BindParameter[str]] = field(default_factory=dict)

    def over(self, days: Days) -> Subquery:
        """Return the rows of some days as a table of ``team_id``, ``entity``, ``part`` and the sums."""
        months, around = months_and_days(days) if self.dimension in MONTHLY else (None, [days])
        pieces = [self._piece(SPEND, SPEND.c.day, piece) for piece in around]
        if months is not None:
            pieces.append(self._piece(SPEND_MONTHS, SPEND_MONTHS.c.month, months))
        return union_all(*pieces).subquery() if len(pieces) > 1 else pieces[0].subquery()

    def _piece(self, table: Table, at: Column[date], days: Days) -> Select[*tuple[object, ...]]:
        part = table.c.part if "part" in table.c else literal("").label("part")
        piece = select(table.c.team_id, table.c.entity, part, *(table.c[name] for name in SUMS))
        piece = piece.where(table.c.dimension == self.dimension, within(at, days))
        return piece.where(*(table.c[name].in_(values) for name, values in self.only.items()))


def summed(rows: FromClause) -> list[ColumnElement[int]]:
    """Return the totals of a query's sums, in the order of `SUMS`; the spend is the last."""
    return [func.coalesce(capped_sum(rows.c[name]), 0) for name in SUMS]


def read_sums(values: Iterable[int]) -> SpendSums:
    """Read what `summed` selects: PostgreSQL returns a sum as a decimal number."""
    return SpendSums(*(int(value) for value in values))


def within(at: Column[date], days: Days) -> ColumnElement[bool]:
    """Return the condition that a day, or a month's first day, is in the range and its month was not deleted."""
    start = select(func.max(LEDGER_START.c.month)).scalar_subquery()
    return at.between(days.first, days.last) & (at >= func.coalesce(start, literal(date.min, Date)))


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def months_and_days(days: Days) -> tuple[Days | None, list[Days]]:
    """Split a range into its whole months, if there are any, and the days before and after them."""
    if days.first > _LAST:
        return None, [days]
    after = month_of(min(days.last, _LAST) + _ONE_DAY)
    first = days.first if days.first.day == 1 else month_of(days.first + timedelta(days=32 - days.first.day))
    if first >= after:
        return None, [days]
    before = [Days(days.first, first - _ONE_DAY)] if days.first < first else []
    behind = [Days(after, days.last)] if after <= days.last else []
    return Days(first, after - _ONE_DAY), before + behind
