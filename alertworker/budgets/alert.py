"""The alert of a budget: one for each limit and period, however often it is reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.alert import Alert, fingerprint_of
from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures, owner_names
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.tables import Unit, show
from alertworker.budgets.projection import Projection, full_at, period_start, project
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import BudgetState, Limit, next_limit, reached
from alertworker.events import BudgetScope
from alertworker.money import spell_dollars
from alertworker.text.format import spell_moment
from alertworker.text.names import short_id

#: A proxy's figure shows its age if it is older than this when people are notified.
_FRESH: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of a reading: the budget's state, the alert to close, and the alert to raise."""

    state: BudgetState
    over: str | None = None
    alert: Alert | None = None

    @property
    def notifies(self) -> bool:
        """Return whether an alert is to be raised or closed."""
        return self.over is not None or self.alert is not None


def judge(
    key: BudgetKey, before: BudgetState | None, after: BudgetState, *, now: datetime, zone: ZoneInfo
) -> Judgement:
    """Return the judgement on a budget's new state.

    A limit is notified if it is higher than every limit that was notified in the period. A projection is notified if no
    limit was. The last alert is over if the limit was raised past it, or if a later period began. A period that has
    ended notifies no channel.
    """
    over = None
    if before is not None and before.level and not before.closed and not after.level:  # the budget starts from zero
        over = fingerprint(key, before)
    if after.closed:
        return Judgement(after, over)
    if after.reading.reset_at is not None and after.reading.reset_at <= now:
        return Judgement(replace(after, closed=True), fingerprint(key, after) if after.level else over)
    limit = highest(key, after.reading)
    amount = limit.nanos if limit is not None else 0
    if after.notified_nanos > amount:
        over = fingerprint(key, after)
        after = replace(after, notified_nanos=0, level=0)
    if limit is None or (after.level and amount <= after.notified_nanos):
        return Judgement(after, over)
    after = replace(after, notified_nanos=amount, level=after.level + 1)
    return Judgement(after, over, describe(key, after, limit, now=now, zone=zone))


def fingerprint(key: BudgetKey, state: BudgetState) -> str:
    """Return the fingerprint of a budget's alert in its period."""
    return fingerprint_of(AlertType.BUDGET_ALERTS, _identity(key, state.reading))


def highest(key: BudgetKey, reading: Reading) -> Limit | None:
    """Return the highest limit that is reached. If none is, a key's soft budget counts if its pace leads past it."""
    limit = reached(reading)
    if limit is not None or key.scope != BudgetScope.KEY or reading.soft_nanos is None:
        return limit
    pace = pace_of(reading)
    if pace is None or pace.at_end_nanos <= reading.soft_nanos:
        return None
    return Limit(BudgetEvent.PROJECTED_LIMIT_EXCEEDED, 0)


def pace_of(reading: Reading) -> Projection | None:
    """Return the projection of the spend; ``None`` if the period is unknown or too young."""
    start = start_of(reading)
    if start is None or reading.reset_at is None:
        return None
    return project(reading.spend_nanos, start=start, end=reading.reset_at, now=reading.at)


def start_of(reading: Reading) -> datetime | None:
    """Return when the budget's period began, or ``None`` if that is unknown."""
    return period_start(reading.duration, reading.reset_at) if reading.reset_at is not None else None


def describe(key: BudgetKey, state: BudgetState, limit: Limit, *, now: datetime, zone: ZoneInfo) -> Alert:
    """Return the alert of a limit, with the present figures."""
    reading = state.reading
    customer = reading.owner.customer_id
    return Alert(
        type=AlertType.BUDGET_ALERTS,
        severity=Severity.HIGH,
        identity=_identity(key, reading),
        headline=f"{name(key, reading)}: {_event(limit, reading)}",
        first_at=reading.at,
        last_at=reading.at,
        labels=reading.owner.labels() | ({"customer": customer} if customer else {}),
        facts=_facts(key, limit, reading, now=now, zone=zone),
        level=max(1, state.level),
        figures=figures(key, limit, reading, zone=zone),
    )


def figures(key: BudgetKey, limit: Limit, reading: Reading, *, zone: ZoneInfo) -> BudgetFigures:
    """Return the figures for programs. Only a key with a soft budget has a projection, as in LiteLLM."""
    soft = reading.soft_nanos if key.scope == BudgetScope.KEY else None
    pace = pace_of(reading) if soft is not None else None
    full = None
    if soft is not None and pace is not None:
        full = full_at(soft, reading.spend_nanos, per_day_nanos=pace.per_day_nanos, now=reading.at)
    return BudgetFigures(
        event=limit.event,
        scope=str(key.scope),
        entity_id=key.entity,
        spend_nanos=reading.spend_nanos,
        max_nanos=reading.max_nanos,
        soft_nanos=reading.soft_nanos,
        crossed=limit.share,
        projected_nanos=pace.at_end_nanos if pace else None,
        projected_exceeded_on=full.astimezone(zone).date() if full else None,
        reset_at=reading.reset_at,
        **owner_names(reading.owner),
    )


def name(key: BudgetKey, reading: Reading) -> str:
    """Return a budget's name for people.

    >>> from alertworker.events import Attribution
    >>> at = datetime(2026, 11, 23)
    >>> name(BudgetKey(BudgetScope.TEAM, "t1"), Reading(at, at, at, at, owner=Attribution(team_alias="search")))
    'Team search'
    """
    if key.scope == BudgetScope.PROXY:
        return "The whole proxy"
    scope = str(key.scope)
    shown = reading.owner.name_of(scope)
    shown = f"{shown} ({reading.part})" if shown and reading.part else shown or short_id(key.entity)
    return f"{scope.replace('_', ' ').capitalize()} {shown}"


def _identity(key: BudgetKey, reading: Reading) -> dict[str, str]:
    period = reading.reset_at.isoformat() if reading.reset_at else "unlimited"
    return {"budget": key.name, "entity": key.entity, "period": period}


def _event(limit: Limit, reading: Reading) -> str:
    if limit.event is BudgetEvent.PROJECTED_LIMIT_EXCEEDED:
        return f"soft budget of {_dollars(reading.soft_nanos)} will be crossed at this pace"
    if limit.event is BudgetEvent.SOFT_BUDGET_CROSSED:
        return f"soft budget of {_dollars(reading.soft_nanos)} crossed"
    if limit.event is BudgetEvent.BUDGET_CROSSED:
        return f"budget of {_dollars(reading.max_nanos)} used up"
    return f"{limit.share} % of budget"


def _facts(key: BudgetKey, limit: Limit, reading: Reading, *, now: datetime, zone: ZoneInfo) -> dict[str, str]:
    facts = {"Spend": spend_text(reading)}
    if reading.soft_nanos is not None:
        facts["Soft budget"] = spell_dollars(reading.soft_nanos)
    if reading.reset_at is not None:
        facts["Resets"] = spell_moment(reading.reset_at, zone)
    if pace := _pace(limit, reading, zone):
        facts["Pace"] = pace
    if key.is_own:
        facts["Requests"] = "pass; nothing enforces this budget"
    elif limit.event is BudgetEvent.BUDGET_CROSSED:
        refused = reading.rejected_at is not None
        facts["Requests"] = "are rejected" if refused else "are rejected, where the proxy enforces it"
    elif reading.max_nanos is not None:
        facts["Requests"] = f"pass until {spell_dollars(reading.max_nanos)}"
    if now - reading.at > _FRESH and not key.is_own:  # the ledger's figure is that of the last call, whatever its age
        facts["Figure"] = f"as the proxy reported it at {spell_moment(reading.at, zone)}"
    return facts


def spend_text(reading: Reading) -> str:
    """Return spend, budget and share as a string.

    >>> at = datetime(2026, 11, 23)
    >>> spend_text(Reading(at, at, at, at, spend_nanos=850_120_000_000, max_nanos=1_000_000_000_000))
    '$850.12 of $1,000 (85.0 %)'
    """
    spend = spell_dollars(reading.spend_nanos)
    limit = reading.max_nanos if reading.max_nanos is not None else reading.soft_nanos
    if not limit:
        return f"{spend} of {_dollars(limit)}"
    return f"{spend} of {spell_dollars(limit)} ({show(share(reading), Unit.PERCENT)})"


def share(reading: Reading) -> float | None:
    """Return the used share of a budget in per cent, cut to one digit; ``None`` for a budget of 0."""
    limit = reading.max_nanos if reading.max_nanos is not None else reading.soft_nanos
    return reading.spend_nanos * 1_000 // limit / 10 if limit else None


def _pace(limit: Limit, reading: Reading, zone: ZoneInfo) -> str | None:
    """Return the pace, and when it reaches the maximum, or the soft budget if that is projected."""
    pace, ahead = pace_of(reading), next_limit(reading)
    if pace is None:
        return None
    text = f"{spell_dollars(pace.per_day_nanos)} a day → {spell_dollars(pace.at_end_nanos)} at the reset"
    if ahead is None:
        return text
    projected = limit.event is BudgetEvent.PROJECTED_LIMIT_EXCEEDED
    final = ahead.nanos if projected or reading.max_nanos is None else reading.max_nanos
    full = full_at(final, reading.spend_nanos, per_day_nanos=pace.per_day_nanos, now=reading.at)
    if full is None or reading.reset_at is None or full >= reading.reset_at:
        return text
    return f"{text}; {spell_dollars(final)} reached on {full.astimezone(zone).date().isoformat()}"


def _dollars(nanos: int | None) -> str:
    return spell_dollars(nanos or 0)
