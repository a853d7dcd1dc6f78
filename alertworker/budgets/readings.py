"""What is known of budgets from what proxies report: whose they are, what was spent, and what limits there are. Pure.

A proxy's figure is from when it let the caller in. Money in nano-dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.events import Budget, BudgetReported, BudgetScope, EndEvent, RequestFailed
from alertworker.events.base import MAX_NAME
from alertworker.text.shorten import shorten_id

#: Shares of a budget that are told before it is used up, in per cent: LiteLLM's "15 % left" and "5 % left".
SHARES: Final = (85, 95)
#: The share from which pages and reports list a budget as near its limit, in percent.
NEAR_LIMIT: Final = 80.0
#: LiteLLM's error for a call that a budget has refused.
_REFUSED: Final = "BudgetExceededError"
#: LiteLLM's reports that carry a budget's spend. `spend_tracked` carries one call's cost, the others are no figures.
_REPORTS: Final = frozenset(
    {"budget_crossed", "threshold_crossed", "soft_budget_crossed", "projected_limit_exceeded", "max_budget_alert"}
)


class BudgetKey(NamedTuple):
    """Whose budget: a key's ``entity`` is its alias where it has one, so that a rotated key keeps its budget.

    ``scope`` is a `BudgetScope`, or "own", a dimension of the ledger and a period, for a budget of our own.
    """

    scope: str
    entity: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of one budget, from one call or from many.

    ``at`` is the newest moment it was reported, ``limits_at`` that of the limits; ``spent_at`` is when the spend was
    first seen this high and ``high_at`` when for the last time, and ``rejected_at`` when a call was last refused for
    it. ``who`` names whom it belongs to; ``shares`` are told before the maximum, in per cent.
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
    who: Mapping[str, str] = field(default_factory=dict)
    shares: tuple[int, ...] = SHARES


def read(event: EndEvent) -> Iterable[tuple[BudgetKey, Reading]]:
    """Give what a call says of the budgets it counted against.

    The figures are from when the call was let in, so from its start; its own cost is added.
    """
    at = min(event.started_at, event.occurred_at).astimezone(UTC)
    refused = _refused(event)
    for budget in event.budgets:
        spend = (budget.spend_nanos or 0) + (event.cost_nanos or 0)
        if budget.spend_nanos is None and budget not in refused:
            continue  # a limit without a figure says nothing yet
        if budget in refused:
            spend = max(spend, budget.max_nanos or 0)  # the proxy that refused it knew better than this copy
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
                who=owner(budget.scope, event) | _named(budget),
            ),
        )


def _refused(event: EndEvent) -> Sequence[Budget]:
    """Give the budgets for which a call was turned away; where its producer names none, those it can only have been."""
    named = [budget for budget in event.budgets if budget.refused]
    if named or not isinstance(event, RequestFailed) or event.failure.error_class != _REFUSED:
        return named
    limited = [budget for budget in event.budgets if budget.max_nanos is not None]
    return limited if len(limited) == 1 else [one for one in limited if (one.spend_nanos or 0) >= (one.max_nanos or 0)]


def read_report(event: BudgetReported) -> Iterable[tuple[BudgetKey, Reading]]:
    """Give what a proxy's own alerting says of a budget; it never says when the budget resets."""
    if event.event not in _REPORTS or event.spend_nanos is None:
        return
    maximum, soft = event.max_nanos, event.soft_nanos
    if event.event == BudgetEvent.PROJECTED_LIMIT_EXCEEDED:
        maximum, soft = None, soft if soft is not None else maximum  # LiteLLM puts the soft budget there
    at = event.occurred_at.astimezone(UTC)
    named = {
        "key_hash": event.key_hash if event.scope is BudgetScope.KEY else None,
        "key_alias": event.key_alias if event.scope is BudgetScope.KEY else None,
        "team_id": event.team_id,
        "team_alias": event.team_alias,
        "user_id": event.user_id if event.scope is not BudgetScope.TEAM else None,
        "user_email": event.user_email if event.scope is not BudgetScope.TEAM else None,
        "customer_id": event.customer_id,
        "organization_id": event.organization_id,
        "alert_emails": ",".join(event.alert_emails),
    }
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
            who={name: value for name, value in named.items() if value},
        ),
    )


def _entity(budget: Budget, event: EndEvent) -> str:
    entity = event.key_alias or budget.entity_id if budget.scope is BudgetScope.KEY else budget.entity_id
    return shorten_id(f"{entity} ({budget.part})", MAX_NAME) if budget.part else entity


def owner(scope: str, event: EndEvent) -> dict[str, str]:
    """Name whom a budget belongs to: a team's is not that of the key or the user that happened to call."""
    team = {"team_id": event.team_id, "team_alias": event.team_alias}
    organization = {"organization_id": event.organization_id, "organization_alias": event.organization_alias}
    user = {"user_id": event.user_id, "user_email": event.user_email}
    told = {
        "alert_receiver": event.team_metadata.get("alert_receiver"),
        "alert_emails": event.team_metadata.get("soft_budget_alerting_emails"),
    }
    own_receiver = event.key_metadata.get("alert_receiver")
    key = {"key_hash": event.key_hash, "key_alias": event.key_alias}
    own = {"alert_receiver": own_receiver} if own_receiver else {}
    names: Mapping[str, Mapping[str, str | None]] = {
        BudgetScope.KEY: key | team | user | organization | told | own,
        BudgetScope.TEAM: team | organization | told,
        BudgetScope.TEAM_MEMBER: team | user | organization | told,
        BudgetScope.USER: user,
        BudgetScope.CUSTOMER: {"customer_id": event.customer_id},
        BudgetScope.ORGANIZATION: organization,
    }
    return {name: value for name, value in names.get(scope, {}).items() if value}


def _named(budget: Budget) -> dict[str, str]:
    known = {"tag": budget.entity_id if budget.scope is BudgetScope.TAG else None, "part": budget.part}
    return {name: value for name, value in known.items() if value}
