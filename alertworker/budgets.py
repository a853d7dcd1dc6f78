"""Budgets: what proxies report of them, put together, and which limits are reached. Pure; money in nano-dollars.

A proxy's figure is from when it let the caller in, and each of its processes has its own copy of it. So figures come
late and out of order, and within a period the highest spend counts. A period is named by the moment at which it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from alertworker.events import Budget, BudgetReported, BudgetScope, EndEvent, RequestFailed
from alertworker.events.base import MAX_NAME
from alertworker.figures import BudgetEvent

#: Shares of a budget that are told before it is used up, in per cent: LiteLLM's "15 % left" and "5 % left".
SHARES: Final = (85, 95)
#: For how long after a limit, or a period's end, was last reported a lower or earlier one is taken for another
#: process's old copy of it.
STALE: Final = timedelta(minutes=5)
#: For how long a proxy may go on reporting an old figure: of a period that has ended, or from before it was set back.
_LATE: Final = timedelta(hours=1)
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


@dataclass(frozen=True, slots=True)
class Standing:
    """A reading with what was concluded from it in its period.

    ``told_nanos`` is the amount of the highest limit that was told (0: none), ``level`` how often that rose, and
    ``closed`` says that the period is over and that nothing more is told of it.
    """

    reading: Reading
    told_nanos: int = 0
    level: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """One amount whose reaching is told; ``share`` in per cent of the maximum, where it is one."""

    event: BudgetEvent
    nanos: int
    share: int | None = None


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


def merge(known: Reading, new: Reading) -> Reading:
    """Put two readings of one budget together; the order does not matter while limits do not sink.

    Of two periods the later one counts alone. Within one the highest spend counts, and the highest limits, until a
    lower one is reported `STALE` after the higher was for the last time.
    """
    if _period(known) != _period(new):
        return max(known, new, key=_period)
    maximum, soft, limits_at = _limits(known, new)
    lower, higher = sorted((known, new), key=lambda reading: reading.spend_nanos)
    equal = lower.spend_nanos == higher.spend_nanos
    earlier, later = sorted((known, new), key=lambda reading: (reading.at, sorted(reading.who.items())))
    return Reading(
        at=later.at,
        limits_at=limits_at,
        spent_at=min(lower.spent_at, higher.spent_at) if equal else higher.spent_at,
        high_at=max(lower.high_at, higher.high_at) if equal else higher.high_at,
        spend_nanos=higher.spend_nanos,
        max_nanos=maximum,
        soft_nanos=soft,
        duration=max(known.duration or "", new.duration or "") or None,
        reset_at=known.reset_at,
        rejected_at=max((at for at in (known.rejected_at, new.rejected_at) if at), default=None),
        who={**earlier.who, **later.who},
        shares=later.shares,
    )


def advance(known: Standing | None, new: Reading) -> Standing:
    """Give how a budget stands after a reading; a later period starts anew, an earlier one changes nothing.

    A period that was cut short starts anew, too, once the later end is reported no more; and so does a spend that was
    set back: a figure of less than half, long after the higher one came for the last time.
    """
    if known is None or _period(new) > _period(known.reading) or _undated(known, new):
        return Standing(new)
    if _cut_short(known.reading, new) or _set_back(known.reading, new):
        return Standing(new)
    return replace(known, reading=merge(known.reading, new))


def _cut_short(known: Reading, new: Reading) -> bool:
    """Tell whether the period ends earlier now: its end is still ahead, and the later one was not reported for long.

    So neither a period that has ended comes back, nor another process's old copy of one.
    """
    if known.reset_at is None or new.reset_at is None:
        return False
    return new.at < new.reset_at < known.reset_at and new.at > known.at + STALE


def _undated(known: Standing, new: Reading) -> bool:
    """Tell whether a budget has no periods any more: its last one ended long ago, and no other is named."""
    end = known.reading.reset_at
    return known.closed and end is not None and new.reset_at is None and new.at > end + _LATE


def _set_back(known: Reading, new: Reading) -> bool:
    same = _period(known) == _period(new)
    return same and new.spend_nanos * 2 < known.spend_nanos and new.at > known.high_at + _LATE


def reached(reading: Reading) -> Limit | None:
    """Give the highest limit that the spend has reached."""
    return max((limit for limit in _amounts(reading) if reading.spend_nanos >= limit.nanos), key=_rank, default=None)


def state_of(standing: Standing) -> str:
    """Say in a word how far a budget is: "open", the share that is reached ("85 %"), "soft budget" or "ended"."""
    limit = reached(standing.reading)
    if standing.closed:
        return "ended"
    if limit is None:
        return "open"
    return f"{limit.share} %" if limit.share is not None else "soft budget"


def next_limit(reading: Reading) -> Limit | None:
    """Give the lowest limit that the spend has not reached."""
    return min((limit for limit in _amounts(reading) if reading.spend_nanos < limit.nanos), key=_rank, default=None)


def _amounts(reading: Reading) -> Iterable[Limit]:
    """Give the amounts to tell of; a budget of nothing is used up before the first call, and has no shares.

    A soft budget above the maximum is none: when it is reached, calls have long been refused.
    """
    if reading.soft_nanos is not None and (reading.max_nanos is None or reading.soft_nanos < reading.max_nanos):
        yield Limit(BudgetEvent.SOFT_BUDGET_CROSSED, reading.soft_nanos)
    if reading.max_nanos is not None:
        for share in reading.shares if reading.max_nanos > 0 else ():
            yield Limit(BudgetEvent.THRESHOLD_CROSSED, -(-reading.max_nanos * share // 100), share)
        yield Limit(BudgetEvent.BUDGET_CROSSED, reading.max_nanos, 100)


def _rank(limit: Limit) -> tuple[int, int]:
    """Order limits; of two equal amounts the maximum's speaks."""
    return limit.nanos, limit.share or 0


def _limits(known: Reading, new: Reading) -> tuple[int | None, int | None, datetime]:
    earlier, later = sorted((known, new), key=lambda reading: reading.limits_at)
    lower = (later.max_nanos is not None and later.max_nanos < (earlier.max_nanos or 0)) or (
        later.soft_nanos is not None and later.soft_nanos < (earlier.soft_nanos or 0)
    )
    if lower and later.limits_at - earlier.limits_at > STALE:
        maximum = earlier.max_nanos if later.max_nanos is None else later.max_nanos
        soft = earlier.soft_nanos if later.soft_nanos is None else later.soft_nanos
        return maximum, soft, later.limits_at
    # An old copy of the limits must not make the present ones look fresher than they are.
    limits_at = earlier.limits_at if lower else later.limits_at
    return _highest(known.max_nanos, new.max_nanos), _highest(known.soft_nanos, new.soft_nanos), limits_at


def _highest(one: int | None, other: int | None) -> int | None:
    return max((amount for amount in (one, other) if amount is not None), default=None)


def _period(reading: Reading) -> datetime:
    """Name the period; one whose end is unknown is before all others."""
    return reading.reset_at or datetime.min.replace(tzinfo=UTC)


def _entity(budget: Budget, event: EndEvent) -> str:
    entity = event.key_alias or budget.entity_id if budget.scope is BudgetScope.KEY else budget.entity_id
    return f"{entity} ({budget.part})"[:MAX_NAME] if budget.part else entity


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
