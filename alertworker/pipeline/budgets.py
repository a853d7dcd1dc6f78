"""Budgets in the pipeline: a batch's readings are judged in its transaction, and the end of a period resolves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.message import Step
from alertworker.budgets import alert as budgets
from alertworker.budgets.configured import OwnPeriod, present
from alertworker.budgets.readings import BudgetKey, Reading, owner_of
from alertworker.budgets.state import BudgetState, advance
from alertworker.budgets.user_thresholds import explained
from alertworker.events import Attribution, BudgetScope
from alertworker.folding import Fold
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.notify import claim, notify, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.ports.ledger import LedgerPort


def judge_budgets(context: BatchContext) -> None:
    """Claim alerts of limits that were reached, under the locks of the budgets' rows.

    The spend of a budget of our own is summed up under its lock, so it includes what earlier holders added.
    """
    tx, runtime, now = context.tx, context.runtime, context.now
    readings = dict(context.folded.budgets)
    own = _own(tx, context.folded, runtime, now=now)
    known = tx.lock_budgets(readings | {key: period.reading for key, period in own.items()})
    spent = _spent(tx, own)
    for key, period in own.items():
        readings[key] = replace(period.reading, spend_nanos=max(0, spent[key]))
    judged = []
    for key in sorted(readings, key=lambda key: key.stored):
        before = known.get(key)
        after = advance(before, readings[key])
        if after != before:
            judged.append((key, budgets.judge(key, before, after, now=now, zone=runtime.zone)))
    tx.keep_budgets({key: judgement.standing for key, judgement in judged})
    for fingerprint in sorted(judgement.over for _, judgement in judged if judgement.over):
        _over(tx, fingerprint, runtime, now=now)
    alerts = [
        _explained(tx, key, judgement.standing.reading, judgement.alert, runtime)
        for key, judgement in judged
        if judgement.alert is not None
    ]
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        claim(tx, alert, runtime, now=now)


def end_budgets(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve the alerts of at most ``limit`` budgets whose period has ended, even when no event follows.

    Returns true if more such budgets may be left.
    """
    ended = tx.ended_budgets(limit=limit, now=now)
    tx.keep_budgets(
        {key: BudgetState(old.reading, old.told_nanos, old.level, closed=True) for key, old in ended.items()}
    )
    for fingerprint in sorted(budgets.fingerprint(key, old) for key, old in ended.items() if old.level):
        _over(tx, fingerprint, runtime, now=now)
    return len(ended) == limit


def forget_budgets(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Forget budgets that never reset and of which nobody has heard for as long as records are kept, at most ``limit``.

    Their open alerts are closed, with an unknown end. Return whether more may be left.
    """
    gone = tx.forget_budgets(before=now - runtime.record_retention, limit=limit)
    for fingerprint in sorted(budgets.fingerprint(key, old) for key, old in gone.items() if old.level > 0):
        alert = tx.find_open(fingerprint)
        if alert is not None:
            state = {"State": f"unknown: not reported for {runtime.record_retention.days} days"}
            resolve(tx, replace(alert, facts={**alert.facts, **state}, unknown=True), runtime, now=now)
    return len(gone) == limit


def remind_of_budget(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Remind of a budget with its present figures, if money was spent since the last time."""
    interval = timedelta(seconds=runtime.router.decide(alert.type, alert.routing_labels, now=now).repeat_interval)
    key = BudgetKey.parse(alert.labels["budget"], alert.labels["entity"])
    standing = tx.budget(key)
    limit = budgets.highest(key, standing.reading) if standing is not None else None
    if standing is None or limit is None or standing.reading.spent_at <= now - interval:
        tx.remind_at(alert.id, now + interval)
        return
    plain = budgets.describe(key, standing, limit, now=now, zone=runtime.zone)
    present = _explained(tx, key, standing.reading, plain, runtime)
    notify(tx, tx.raise_alert(present, next_summary_at=now, now=now), Step.REMINDER, runtime, now=now)


def _own(tx: LedgerPort, folded: Fold, runtime: Runtime, *, now: datetime) -> dict[BudgetKey, OwnPeriod]:
    """Return the configured budgets that a batch has spent on; names are those that the ledger knows."""
    if not runtime.budgets:
        return {}
    limited = {budget.dimension for budget in runtime.budgets}
    touched = sorted({(key.dimension, key.entity) for key in folded.ledger.spend() if key.dimension in limited})
    owners: dict[tuple[str, str], Attribution] = {
        one: owner_of(one[0], folded.callers[one]) for one in touched if one in folded.callers
    }
    return present(runtime.budgets, touched, tx.newest_names(touched), owners, zone=runtime.zone, now=now)


def _spent(tx: LedgerPort, own: Mapping[BudgetKey, OwnPeriod]) -> dict[BudgetKey, int]:
    """Return what was spent of each, by one statement for all of a dimension and period.

    A key has a new hash each time that it is rotated, and keeps its name.
    """
    names = {period.alias for period in own.values() if period.dimension == BudgetScope.KEY and period.alias}
    hashes = tx.ids_by_alias(BudgetScope.KEY, names) if names else {}
    entities = {
        key: hashes.get(period.alias, []) if period.dimension == BudgetScope.KEY and period.alias else [period.entity]
        for key, period in own.items()
    }
    spent = dict.fromkeys(own, 0)
    for place in sorted({(period.dimension, period.first, period.last) for period in own.values()}):
        keys = [key for key, period in own.items() if (period.dimension, period.first, period.last) == place]
        dimension, first, last = place
        sums = tx.spend_by_entity(dimension, (entity for key in keys for entity in entities[key]), first, last)
        spent |= {key: sum(sums.get(entity, 0) for entity in entities[key]) for key in keys}
    return spent


def _explained(tx: LedgerPort, key: BudgetKey, reading: Reading, alert: Alert, runtime: Runtime) -> Alert:
    """Return the alert with its top contributors: since the period's start, else for thirty days."""
    dimension, part = str(key.scope), reading.part
    entities = [key.entity.removesuffix(f" ({part})") if part else key.entity]
    if dimension == BudgetScope.KEY:
        alias = reading.owner.key_alias
        entities = tx.ids_by_alias(dimension, [alias])[alias] if alias else [reading.owner.key_hash]
    start = budgets.start_of(reading) or reading.at - timedelta(days=30)
    first, last = (moment.astimezone(runtime.zone).date() for moment in (start, max(start, reading.at)))
    return replace(alert, facts=explained(alert, tx.top_contributors(dimension, entities, first, last)))


def _over(tx: Transaction, fingerprint: str, runtime: Runtime, *, now: datetime) -> None:
    alert = tx.find_open(fingerprint)
    if alert is not None:
        resolve(tx, alert, runtime, now=now)
