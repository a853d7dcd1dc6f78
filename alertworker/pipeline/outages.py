"""Outages: a batch's failed attempts are judged in its transaction; the sweep decides when an outage is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.message import Step
from alertworker.events import AttemptFailed
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages.windows import Bucket, Calls, Outage, Target, WindowVerdict, bucket_of, ended, judge, lookback
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.notify import claim, notify, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction


def judge_outages(context: BatchContext) -> None:
    """Claim outages of deployments and regions, under the locks of their rows; regions first: they mute deployments.

    A failure from before the end of an outage that is over is counted in the windows and raises nothing.
    """
    tx, runtime = context.tx, context.runtime
    found = outages.targets(context.folded.blamed)
    known = tx.lock_outages(found)
    levels: dict[Target, Outage] = {}
    for target in sorted(found):
        standing = known[target]
        events = [event for event in found[target] if event.occurred_at.timestamp() >= standing.over_until]
        if not events:
            tx.count("late_attempts", "after its outage", len(found[target]))
            continue
        verdict = _judge(tx, target, standing, events, runtime)
        alert = _alert(tx, target, standing, verdict, events, runtime)
        if alert is not None:
            claim(tx, alert, runtime, now=context.now)
            levels[target] = Outage(alert.level, standing.over_until)
    tx.keep_outages({target: after for target, after in levels.items() if after != known[target]})


def count_outages(context: BatchContext) -> int:
    """Return of how many deployments and regions a batch may raise an outage: those with a failed attempt in it."""
    return len(outages.targets(context.folded.blamed))


def end_outages(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve outages that are over, as far as a returned canary covers the time and no publisher has a backlog.

    Resolve at most ``limit`` outages; return whether more may be left.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or tx.backlogged():
        return False
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp())
    opened = tx.open_outages()
    limits = {target: outages.limits_of(target, runtime.policy.outages) for target in opened}
    starts = {target: max(old.over_until, until - lookback(limits[target])) for target, old in opened.items()}
    attempts = tx.attempts_of(starts)
    resolved = 0
    for target, standing in opened.items():
        if resolved == limit:
            return True
        end = ended(attempts[target], limits[target], until=until)
        if end is None:
            continue
        alert = tx.find_open(outages.fingerprint(target))
        if alert is not None:
            closed = outages.closing(alert, *_since(tx, target, alert), end)
            resolve(tx, closed, runtime, now=now)
        tx.keep_outages({target: Outage(over_until=max(standing.over_until, until))})
        resolved += 1
    return False


def remind_of_outage(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Send a reminder of an outage with the totals since it began."""
    target = outages.target_of(alert)
    notify(tx, outages.total(alert, *_since(tx, target, alert)), Step.REMINDER, runtime, now=now)


def _since(tx: Transaction, target: Target, alert: OpenAlert) -> tuple[list[Bucket], Calls]:
    start = bucket_of(alert.first_at.timestamp())
    return tx.attempts(target, start=start), tx.calls_failed_by(target, start=start)


def _judge(
    tx: Transaction, target: Target, standing: Outage, events: Sequence[AttemptFailed], runtime: Runtime
) -> WindowVerdict:
    """Return the verdict on the windows that hold these attempts."""
    limits = outages.limits_of(target, runtime.policy.outages)
    moments = [bucket_of(event.occurred_at.timestamp()) for event in events]
    start = max(standing.over_until, min(moments) - limits.span)
    return judge(tx.attempts(target, start=start, end=max(moments) + limits.span), limits)


def _alert(
    tx: Transaction,
    target: Target,
    standing: Outage,
    verdict: WindowVerdict,
    events: Sequence[AttemptFailed],
    runtime: Runtime,
) -> Alert | None:
    told = tx.find_open(outages.fingerprint(target)) if standing.level else None
    kept = tx.count_members(told.id) if told is not None else None
    if verdict.level > standing.level:
        calls = tx.calls_failed_by(target, start=verdict.since)
        return outages.describe(target, verdict, calls, events, runtime.policy.outages, kept=kept)
    if told is None or kept is None:
        return None
    return outages.ongoing(target, told, verdict, events, runtime.policy.outages, kept=kept)
