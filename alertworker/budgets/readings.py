"""Readings: what proxies report of budgets, such as owner, spend and limits. Pure; money in nano-dollars.

A proxy's figure is from the moment it authorised the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.events import Attribution, Budget, BudgetReported, BudgetScope, EndEvent, RequestFailed
from alertworker.events.attribution import UNATTRIBUTED
from alertworker.events.base import MAX_NAME
from alertworker.text.shorten import shorten_id

#: The first word of the name of a budget of our own.
_OWN: Final = "own"
#: Shares of a budget that raise an alert before it is used up, in per cent: LiteLLM's "15 % left" and "5 % left".
SHARES: Final = (85, 95)
#: The share from which pages and reports list a budget as near its limit, in percent.
NEAR_LIMIT: Final = 80.0
#: LiteLLM's error for a call that a budget refused.
_REFUSED: Final = "BudgetExceededError"
#: LiteLLM's reports that carry a budget's spend. `spend_tracked` carries one call's cost; others carry no figures.
_REPORTS: Final = frozenset(
    {"budget_crossed", "threshold_crossed", "soft_budget_crossed", "projected_limit_exceeded", "max_budget_alert"}
)
#: The owners of a budget of each scope: a team's budget does not belong to the key or the user of the call.
_OWNERS: Final[Mapping[str, tuple[str, ...]]] = {
    BudgetScope.KEY: ("key", "team", "user", "organization"),
    BudgetScope.TEAM: ("team", "organization"),
    BudgetScope.TEAM_MEMBER: ("team", "user", "organization"),
    BudgetScope.USER: ("user",),
    BudgetScope.CUSTOMER: ("customer",),
    BudgetScope.ORGANIZATION: ("organization",),
}


class BudgetKey(NamedTuple):
    """The key of a budget. A key's ``entity`` is its alias if it has one, so that a rotated key keeps its budget.

    ``scope`` is a `BudgetScope`. For a budget of our own it is a dimension of the ledger, and ``period`` is set.
    """

    scope: str
    entity: str
    period: str = ""

    @property
    def is_own(self) -> bool:
        """Return whether it is a budget of our own, which no proxy enforces."""
        return bool(self.period)

    @property
    def name(self) -> str:
        """The scope's name in rows, alerts and the command line.

        Rows keep this form: it is also in the label ``budget``, and so in operators' matchers, in the fingerprints of
        open alerts, and in the reads of the previous version.

        >>> BudgetKey("tag", "nightly", "month").name, BudgetKey(BudgetScope.TEAM, "t1").name
        ('own tag month', 'team')
        """
        return f"{_OWN} {self.scope} {self.period}" if self.is_own else str(self.scope)

    @property
    def stored(self) -> tuple[str, str]:
        """Return the key of its row. Rows are locked in this order, by this version and the previous one."""
        return self.name, self.entity

    @classmethod
    def parse(cls, name: str, entity: str) -> BudgetKey:
        """Read a key from `name` and entity.

        >>> BudgetKey.parse("own tag month", "nightly") == BudgetKey("tag", "nightly", "month")
        True
        """
        words = name.split()
        return cls(words[1], entity, words[2]) if len(words) == 3 and words[0] == _OWN else cls(name, entity)


@dataclass(frozen=True, slots=True)
class Reading:
    """The known figures of one budget, from one call or from many.

    ``at`` is when it was last reported, ``limits_at`` when its limits were. ``spent_at`` is when the spend was first
    seen this high, ``high_at`` when it was last seen this high. ``rejected_at`` is when a call was last refused
    because of it. ``shares`` raise an alert before the maximum, in per cent. ``part`` is the duration or the model
    of a budget whose owner has several.
    """

    at: datetime
    limits_at: datetime
    spent_at: datetime
    high_at: datetime
    spend_nanos: int = 0
    max_nanos: int | None = None
    soft_nanos: int | None = None
    duration: str | None = None
    reset_at: datetime | None = None
    rejected_at: datetime | None = None
    owner: Attribution = UNATTRIBUTED
    shares: tuple[int, ...] = SHARES
    part: str = ""


def read(event: EndEvent) -> Iterable[tuple[BudgetKey, Reading]]:
    """Yield what a call reports of the budgets it counted against.

    The figures are from the call's start, when the proxy authorised it. The call's own cost is added.
    """
    at = min(event.started_at, event.occurred_at).astimezone(UTC)
    refused = _refused(event)
    for budget in event.budgets:
        spend = (budget.spend_nanos or 0) + (event.cost_nanos or 0)
        if budget.spend_nanos is None and budget not in refused:
            continue  # a limit without a spend is not a reading
        if budget in refused:
            spend = max(spend, budget.max_nanos or 0)  # the spend on this call is older than the spend that refused it
        yield (
            BudgetKey(budget.scope, _entity(budget, event)),
            Reading(
                at=at,
                limits_at=at,
                spent_at=at,
                high_at=at,
                spend_nanos=max(0, spend),
                max_nanos=budget.max_nanos,
                soft_nanos=budget.soft_nanos,
                duration=budget.duration,
                reset_at=budget.reset_at.astimezone(UTC) if budget.reset_at else None,
                rejected_at=event.occurred_at if budget in refused else None,
                owner=_owner(budget, event),
                part=budget.part or "",
            ),
        )


def _refused(event: EndEvent) -> Sequence[Budget]:
    """Return the budgets that refused a call. If its producer names none, return those that must have refused it."""
    named = [budget for budget in event.budgets if budget.refused]
    if named or not isinstance(event, RequestFailed) or event.failure.error_class != _REFUSED:
        return named
    limited = [budget for budget in event.budgets if budget.max_nanos is not None]
    return limited if len(limited) == 1 else [one for one in limited if (one.spend_nanos or 0) >= (one.max_nanos or 0)]


def read_report(event: BudgetReported) -> Iterable[tuple[BudgetKey, Reading]]:
    """Yield what a proxy's own alerting reports of a budget. It never reports when the budget resets."""
    if event.event not in _REPORTS or event.spend_nanos is None:
        return
    maximum, soft = event.max_nanos, event.soft_nanos
    if event.event == BudgetEvent.PROJECTED_LIMIT_EXCEEDED:
        maximum, soft = None, soft if soft is not None else maximum  # LiteLLM reports the soft budget there
    at = event.occurred_at.astimezone(UTC)
    key = ("key",) if event.scope is BudgetScope.KEY else ()
    user = () if event.scope is BudgetScope.TEAM else ("user",)
    alias = event.key_alias if event.scope is BudgetScope.KEY else None
    yield (
        BudgetKey(event.scope, alias or event.entity_id),
        Reading(
            at=at,
            limits_at=at,
            spent_at=at,
            high_at=at,
            spend_nanos=max(0, event.spend_nanos),
            max_nanos=maximum,
            soft_nanos=soft,
            owner=event.attribution.only("team", "customer", "organization", *key, *user),
        ),
    )


def _entity(budget: Budget, event: EndEvent) -> str:
    entity = event.key_alias or budget.entity_id if budget.scope is BudgetScope.KEY else budget.entity_id
    return shorten_id(f"{entity} ({budget.part})", MAX_NAME) if budget.part else entity


def owner_of(scope: str, event: EndEvent) -> Attribution:
    """Return the owner of a budget, from the owners of a call."""
    return event.attribution.only(*_OWNERS.get(scope, ()))


def _owner(budget: Budget, event: EndEvent) -> Attribution:
    if budget.scope is BudgetScope.TAG:
        return Attribution.to(budget.scope, budget.entity_id)
    return owner_of(budget.scope, event)
