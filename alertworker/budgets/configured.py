"""Budgets of our own, from the configuration: for any entity of the ledger, without the proxy's database. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from alertworker.budgets.readings import SHARES, BudgetKey, Reading
from alertworker.events import Attribution
from alertworker.events.attribution import UNATTRIBUTED
from alertworker.ledger.cardinality import OTHER
from alertworker.money import nanos_from_dollars
from alertworker.text.format import read_duration

Share = Annotated[int, Field(ge=1, le=99)]
_DURATIONS: Final = {"day": "1d", "week": "7d", "month": "1mo"}


class OwnBudget(BaseModel):
    """A budget of each entity of a dimension whose id or name matches the pattern ``entity``. ``max`` is in dollars.

    ``period`` is a calendar day, week (from Monday) or month in the configured zone, or "30d", counted from
    ``anchor``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    dimension: Literal["team", "tag", "key", "user", "customer", "organization", "model", "provider", "deployment"]
    """Dimension of the ledger."""
    entity: Annotated[str, Field(min_length=1, max_length=256)] = "*"
    """Id or name; `*` and `?` stand for any characters."""
    max: Annotated[float, Field(gt=0, le=1_000_000_000)]
    """Dollars in a period."""
    period: Annotated[str, Field(pattern=r"^(day|week|month|[1-9][0-9]{0,2}d)$", examples=["month"])] = "month"
    """Calendar day, week (from Monday) or month, or a number of days such as 30d."""
    anchor: date = date(2024, 1, 1)
    """First day of a period that is a number of days."""
    thresholds: Annotated[tuple[Share, ...], Field(max_length=20)] = SHARES
    """Percentages of `max` at which there is an alert, besides `max` itself."""

    def matches(self, *names: str) -> bool:
        """Return whether the pattern matches an id or a name; only ``*`` and ``?`` are special."""
        pattern = self.entity.replace("[", "[[]")
        return any(name and fnmatchcase(name, pattern) for name in names)

    @property
    def is_pattern(self) -> bool:
        """Return whether the budget is for every matching entity, and not for one."""
        return not {"*", "?"}.isdisjoint(self.entity)

    def days(self, day: date) -> tuple[date, date]:
        """Return the first day of the period that contains a day, and the first day after it."""
        if self.period == "month":
            first = day.replace(day=1)
            return first, (first + timedelta(days=32)).replace(day=1)
        length = {"day": 1, "week": 7}.get(self.period) or read_duration(self.period).days
        anchor = date(2024, 1, 1) if self.period == "week" else self.anchor  # a Monday
        first = day - timedelta(days=(day - anchor).days % length)
        return first, first + timedelta(days=length)


@dataclass(frozen=True, slots=True)
class OwnPeriod:
    """One entity's budget in its present period; ``first`` and ``last`` are days in the configured zone."""

    key: BudgetKey
    dimension: str
    entity: str
    alias: str
    first: date
    last: date
    reading: Reading


@dataclass(frozen=True, slots=True)
class CapExemptions:
    """The entities that the ledger keeps beyond its cap, so that invented tags cannot hide what has a budget."""

    budgets: Sequence[OwnBudget] = ()

    @property
    def dimensions(self) -> frozenset[str]:
        """The dimensions that have an exempt entity."""
        return frozenset(budget.dimension for budget in self.budgets)

    def covers(self, dimension: str, entity: str, names: Iterable[str]) -> bool:
        """Return whether a budget names this entity by its id or by one of its ``names``.

        A pattern matches names only: the proxy assigns names, but callers choose ids and could invent many.
        """
        return any(
            budget.matches(*names) or (entity == budget.entity and not budget.is_pattern)
            for budget in self.budgets
            if budget.dimension == dimension
        )


#: No entity is exempt.
NO_EXEMPTIONS: Final = CapExemptions()


def matching_budgets(
    budgets: Sequence[OwnBudget],
    entities: Iterable[tuple[str, str]],
    aliases: Mapping[tuple[str, str], str],
    owners: Mapping[tuple[str, str], Attribution],
    *,
    zone: ZoneInfo,
    now: datetime,
) -> dict[BudgetKey, OwnPeriod]:
    """Return the budgets of these entities (dimension, id), of each period the first that matches, with no spend yet.

    A key's budget is found by its name, so that a rotated key keeps it. ``owners`` are the owners of an entity.
    """
    found: dict[BudgetKey, OwnPeriod] = {}
    for dimension, entity in entities:
        alias = aliases.get((dimension, entity), "")
        for budget in budgets if entity not in ("", OTHER) else ():
            if budget.dimension == dimension and budget.matches(entity, alias):
                key = BudgetKey(dimension, alias if dimension == "key" and alias else entity, budget.period)
                if key not in found:
                    period = _period(key, budget, entity, alias, (zone, now))
                    owner = owners.get((dimension, entity), UNATTRIBUTED).updated(period.reading.owner)
                    found[key] = replace(period, reading=replace(period.reading, owner=owner))
    return found


def _period(key: BudgetKey, budget: OwnBudget, entity: str, alias: str, moment: tuple[ZoneInfo, datetime]) -> OwnPeriod:
    zone, now = moment
    first, end = budget.days(now.astimezone(zone).date())
    reading = Reading(
        at=now,
        limits_at=now,
        spent_at=now,
        high_at=now,
        max_nanos=nanos_from_dollars(budget.max),
        duration=_DURATIONS.get(budget.period, budget.period),
        reset_at=datetime.combine(end, time(), zone).astimezone(UTC),
        shares=tuple(sorted(budget.thresholds)),
        owner=Attribution.to(budget.dimension, entity, alias),
    )
    return OwnPeriod(key, budget.dimension, entity, alias, first, end - timedelta(days=1), reading)
