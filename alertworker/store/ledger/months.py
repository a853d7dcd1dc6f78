"""The ledger's rows of a stretch of days: whole months from their own table; a year is not 365 rows an entity."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Column, Date, Select, Subquery, Table, func, literal, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from alertworker.ledger.reader import Days
from alertworker.ledger.rows import SUMS
from alertworker.store.schema.ledger import LEDGER_START, MONTHLY, SPEND, SPEND_MONTHS

_ONE_DAY: Final = timedelta(days=1)
#: The end of the last month that can be told by the day after it: no date follows the December behind it.
_LAST: Final = date(9999, 11, 30)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of the ledger: those of a dimension; of one team, or of some entities, where they are given."""

    dimension: str
    team_id: str | None = None
    entities: Collection[str] | None = None

    def over(self, days: Days) -> Subquery:
        """Give what they hold for some days, as a table of ``team_id``, ``entity``, ``part`` and the sums."""
        months, around = months_and_days(days) if self.dimension in MONTHLY else (None, [days])
        pieces = [self._piece(SPEND, SPEND.c.day, piece) for piece in around]
        if months is not None:
            pieces.append(self._piece(SPEND_MONTHS, SPEND_MONTHS.c.month, months))
        return union_all(*pieces).subquery() if len(pieces) > 1 else pieces[0].subquery()

    def _piece(self, table: Table, at: Column[Any], days: Days) -> Select[Any]:
        part = table.c.part if "part" in table.c else literal("").label("part")
        piece = select(table.c.team_id, table.c.entity, part, *(table.c[name] for name in SUMS))
        piece = piece.where(table.c.dimension == self.dimension, within(at, days))
        if self.team_id is not None:
            piece = piece.where(table.c.team_id == self.team_id)
        if self.entities is not None:
            piece = piece.where(table.c.entity.in_(self.entities))
        return piece


def within(at: Column[Any], days: Days) -> ColumnElement[bool]:
    """Say that a day, or the first of a month, is one of these, and not of a month that is being forgotten."""
    start = select(func.max(LEDGER_START.c.month)).scalar_subquery()
    return at.between(days.first, days.last) & (at >= func.coalesce(start, literal(date.min, Date)))


def month_of(day: date) -> date:
    """Give the first day of a day's month."""
    return day.replace(day=1)


def months_and_days(days: Days) -> tuple[Days | None, list[Days]]:
    """Cut a stretch into its whole months, if there are any, and the days before and after them."""
    if days.first > _LAST:
        return None, [days]
    after = month_of(min(days.last, _LAST) + _ONE_DAY)
    first = days.first if days.first.day == 1 else month_of(days.first + timedelta(days=32 - days.first.day))
    if first >= after:
        return None, [days]
    before = [Days(days.first, first - _ONE_DAY)] if days.first < first else []
    behind = [Days(after, days.last)] if after <= days.last else []
    return Days(first, after - _ONE_DAY), before + behind
