"""Outages on the line: a batch's failed attempts are judged in its transaction; the sweep says when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts import Alert
from alertworker.detectors import outages
from alertworker.events import AttemptFailed
from alertworker.folding import Fold
from alertworker.pipeline.claiming import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.windows import Outage, Target, Verdict, bucket_of, ended, judge, lookback

#: How much longer than the canary an attempt's event may be on its way.
MARGIN: Final = timedelta(seconds=5)


def judge_outages(tx: Transaction, folded: Fold, runtime: Runtime, *, now: datetime) -> None:
    """Tell outages of deployments and regions, under the locks of their rows; regions first, which mute deployments.

    What failed before the end of an outage that is over is counted in the books and tells nobody.
    """
    found = outages.targets(folded)
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
            claim(tx, alert, runtime, now=now)
            levels[target] = Outage(alert.level, standing.over_until)
    tx.keep_outages({target: after for target, after in levels.items() if after != known[target]})


def end_outages(tx: Transaction, runtime: Runtime, *, now: datetime) -> None:
    """Resolve what is over; only while a canary came round that was sent later, and no publisher has a backlog."""
    arrived = tx.line("canary_arrived")
    if arrived is None or tx.backlogged():
        return
    until = bucket_of((arrived - MARGIN).timestamp())
    for target, standing in tx.open_outages().items():
        limits = outages.limits_of(target, runtime.policy)
        start = max(standing.over_until, until - lookback(limits))
        end = ended(tx.attempts(target, start=start), limits, until=until)
        if end is None:
            continue
        alert = tx.find_open(outages.fingerprint(target))
        if alert is not None:
            since = tx.attempts(target, start=bucket_of(alert.first_at.timestamp()))
            resolve(tx, outages.closing(alert, since, end), runtime, now=now)
        tx.keep_outages({target: Outage(over_until=max(standing.over_until, until))})


def _judge(
    tx: Transaction, target: Target, standing: Outage, events: Sequence[AttemptFailed], runtime: Runtime
) -> Verdict:
    """Judge every window that one of these attempts is in."""
    limits = outages.limits_of(target, runtime.policy)
    moments = [bucket_of(event.occurred_at.timestamp()) for event in events]
    start = max(standing.over_until, min(moments) - limits.span)
    return judge(tx.attempts(target, start=start, end=max(moments) + limits.span), limits)


def _alert(
    tx: Transaction,
    target: Target,
    standing: Outage,
    verdict: Verdict,
    events: Sequence[AttemptFailed],
    runtime: Runtime,
) -> Alert | None:
    if verdict.level > standing.level:
        return outages.describe(target, verdict, events, runtime.policy, opens=not standing.level)
    told = tx.find_open(outages.fingerprint(target)) if standing.level else None
    return outages.goes_on(target, told, verdict, events, runtime.policy) if told is not None else None
