"""Budgets: judge a batch's readings in its transaction, and resolve alerts when a budget's period ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.message import Step
from alertworker.budgets import alert as budgets
from alertworker.budgets.configured import OwnPeriod, matching_budgets
from alertworker.budgets.ending import closing_facts
from alertworker.budgets.readings import BudgetKey, Reading, owner_of
from alertworker.budgets.state import BudgetState, advance
from alertworker.events import Attribution, BudgetScope
from alertworker.folding import Fold
from alertworker.ledger.rows import MAX_TOTAL
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.current import explain_budget
from alertworker.pipeline.notify import claim, notify, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.ports.batches import CounterName

#: The maximum number of reported budgets, and of entities with a configured budget, that one transaction judges. Each
#: may raise or resolve an alert. That takes about 3 ms, in which other transactions wait.
PIECE: Final = 500
#: How many budgets of a batch, after its first piece, may raise or resolve alerts. Others wait for their next report.
MAX_CROSSED: Final = 1_000


@dataclass(frozen=True, slots=True)
class BudgetPiece:
    """Some of a batch's readings, and some of the entities (dimension, id) whose spend it adds to."""

    readings: Mapping[BudgetKey, Reading]
    touched: Sequence[tuple[str, str]]


def budget_pieces(folded: Fold, runtime: Runtime) -> list[BudgetPiece]:
    """Return a batch's budgets in pieces. Nearly every batch has one piece or none.

    The first batch after an installation may report thousands of budgets that are used up. Such a batch is not parked:
    later transactions judge its other pieces. A redelivered batch has the same pieces, because they depend on its
    events alone.
    """
    limited = {budget.dimension for budget in runtime.budgets}
    spent_on = folded.ledger.spend() if limited else ()
    touched = sorted({(key.dimension, key.entity) for key in spent_on if key.dimension in limited})
    readings = sorted(folded.budgets.items(), key=lambda item: item[0].stored)
    return [
        BudgetPiece(dict(readings[start : start + PIECE]), touched[start : start + PIECE])
        for start in range(0, max(len(readings), len(touched)), PIECE)
    ]


def judge_budgets(context: BatchContext) -> None:
    """Judge the first piece of a batch's budgets. `ingest` judges the others in transactions of their own."""
    for piece in budget_pieces(context.folded, context.runtime)[:1]:
        judge_piece(context.tx, piece, context.folded, context.runtime, now=context.now)


def judge_piece(
    tx: Transaction, piece: BudgetPiece, folded: Fold, runtime: Runtime, *, most: int = 2 * PIECE, now: datetime
) -> int:
    """Claim alerts about limits that were reached, under the locks of the budgets' rows.

    The spend of a configured budget is summed under its lock, so it includes what earlier holders added. At most
    ``most`` budgets raise or resolve alerts, by default all of the piece. Return how many would without this bound.
    """
    readings = dict(piece.readings)
    own = _own(tx, piece.touched, folded, runtime, now=now)
    known = tx.budgets.lock_budgets(readings | {key: period.reading for key, period in own.items()})
    spent = _spent(tx, own)
    for key, period in own.items():
        readings[key] = replace(period.reading, spend_nanos=max(0, spent[key]))
    judged, crossed = [], 0
    over: dict[str, tuple[BudgetKey, Reading, Reading]] = {}
    for key in sorted(readings, key=lambda key: key.stored):
        before = known.get(key)
        after = advance(before, readings[key])
        if after == before:
            continue
        judgement = budgets.judge(key, before, after, now=now, zone=runtime.zone)
        crossed += judgement.notifies
        if judgement.notifies and crossed > most:
            # Without an alert to resolve, the figures are stored, and not the crossed limit: the next report notifies.
            judged += [(key, budgets.Judgement(after))] if judgement.over is None else []
            continue
        judged.append((key, judgement))
        if judgement.over:
            over[judgement.over] = (key, before.reading if before else after.reading, after.reading)
    tx.count(CounterName.POSTPONED, "budgets", max(0, crossed - most))
    tx.budgets.keep_budgets({key: judgement.state for key, judgement in judged})
    for fingerprint in sorted(over):
        _over(tx, fingerprint, *over[fingerprint], runtime, now=now)
    _claim_alerts(tx, judged, runtime, now=now)
    return crossed


def _claim_alerts(
    tx: Transaction, judged: Iterable[tuple[BudgetKey, budgets.Judgement]], runtime: Runtime, *, now: datetime
) -> None:
    alerts = [
        explain_budget(tx, key, judgement.state.reading, judgement.alert, runtime.zone)
        for key, judgement in judged
        if judgement.alert is not None
    ]
    for alert in sorted(alerts, key=lambda alert: alert.fingerprint):
        claim(tx, alert, runtime, now=now)


def end_budgets(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve the alerts of at most ``limit`` budgets whose period has ended, even when no event follows.

    Return whether more may be left.
    """
    ended = tx.budgets.ended_budgets(limit=limit, now=now)
    tx.budgets.keep_budgets(
        {key: BudgetState(old.reading, old.notified_nanos, old.level, closed=True) for key, old in ended.items()}
    )
    over = {budgets.fingerprint(key, old): (key, old.reading) for key, old in ended.items() if old.level}
    for fingerprint in sorted(over):
        key, reading = over[fingerprint]
        _over(tx, fingerprint, key, reading, reading, runtime, now=now)
    return len(ended) == limit


def forget_budgets(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Forget at most ``limit`` budgets that never reset and were not reported within the retention of records.

    Their open alerts are closed with an unknown end. Return whether more may be left.
    """
    gone = tx.budgets.forget_budgets(before=now - runtime.record_retention, limit=limit)
    for fingerprint in sorted(budgets.fingerprint(key, old) for key, old in gone.items() if old.level > 0):
        alert = tx.alerts.find_open(fingerprint)
        if alert is not None:
            state = {"State": f"unknown: not reported for {runtime.record_retention.days} days"}
            resolve(tx, replace(alert, facts={**alert.facts, **state}, unknown=True), runtime, now=now)
    return len(gone) == limit


def remind_of_budget(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Send a reminder of a budget with its current figures, if money was spent since the last message."""
    interval = timedelta(seconds=runtime.router.decide(alert.type, alert.routing_labels, now=now).repeat_interval)
    key = BudgetKey.parse(alert.labels["budget"], alert.labels["entity"])
    state = tx.budgets.budget(key)
    limit = budgets.highest(key, state.reading) if state is not None else None
    if state is None or limit is None or state.reading.spent_at <= now - interval:
        tx.alerts.remind_at(alert.id, now + interval)
        return
    notify(tx, alert, Step.REMINDER, runtime, now=now)


def _own(
    tx: Transaction, touched: Sequence[tuple[str, str]], folded: Fold, runtime: Runtime, *, now: datetime
) -> dict[BudgetKey, OwnPeriod]:
    """Return the configured budgets of the touched entities. The ledger has the entities' names."""
    if not touched:
        return {}
    owners: dict[tuple[str, str], Attribution] = {
        one: owner_of(one[0], folded.callers[one]) for one in touched if one in folded.callers
    }
    return matching_budgets(
        runtime.budgets, touched, tx.aliases.newest_names(touched), owners, zone=runtime.zone, now=now
    )


def _spent(tx: Transaction, own: Mapping[BudgetKey, OwnPeriod]) -> dict[BudgetKey, int]:
    """Return the spend of each budget. One statement sums all budgets with the same dimension and period.

    A rotated key gets a new hash and keeps its name, so the spend of a named key is that of all its hashes.
    """
    names = {period.alias for period in own.values() if period.dimension == BudgetScope.KEY and period.alias}
    hashes = tx.aliases.ids_by_alias(BudgetScope.KEY, names) if names else {}
    entities = {
        key: hashes.get(period.alias, []) if period.dimension == BudgetScope.KEY and period.alias else [period.entity]
        for key, period in own.items()
    }
    spent = dict.fromkeys(own, 0)
    for place in sorted({(period.dimension, period.first, period.last) for period in own.values()}):
        keys = [key for key, period in own.items() if (period.dimension, period.first, period.last) == place]
        dimension, first, last = place
        sums = tx.user_totals.spend_by_entity(
            dimension, (entity for key in keys for entity in entities[key]), first, last
        )
        spent |= {key: min(MAX_TOTAL, sum(sums.get(entity, 0) for entity in entities[key])) for key in keys}
    return spent


def _over(
    tx: Transaction,
    fingerprint: str,
    key: BudgetKey,
    before: Reading,
    after: Reading,
    runtime: Runtime,
    *,
    now: datetime,
) -> None:
    alert = tx.alerts.find_open(fingerprint)
    if alert is not None:
        facts = closing_facts(key, alert.facts, before, after, runtime.zone)
        resolve(tx, replace(alert, facts=facts), runtime, now=now)
