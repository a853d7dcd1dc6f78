"""Outages: judge a batch's failed calls in its transaction; the sweep decides when an outage is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alertworker.events import AttemptFailed
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages.ending import End, ended, lookback
from alertworker.outages.verdict import DEAD_REACH, Grade, WindowVerdict, grade, is_dead, judge
from alertworker.outages.windows import Calls, Outage, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.current import outage_sums
from alertworker.pipeline.notify import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, OutagePort, Transaction

#: How long a dead target has no failed call before its outage is closed with an unknown end.
_DEAD_LASTS: Final = timedelta(hours=24)


def judge_outages(context: BatchContext) -> None:
    """Claim outages of deployments and regions, under the locks of their rows.

    Regions come first, because their outages inhibit those of deployments. A failure from before the end of an earlier
    outage is counted in the windows and raises nothing. A batch with lost calls and without failed attempts of a target
    may raise the grade of that target's open outage.
    """
    tx, runtime = context.tx, context.runtime
    found = outages.targets(context.folded.blamed)
    lost = outages.lost_buckets(context.folded.calls)
    known = tx.lock_outages({*found, *lost})
    for target in sorted(found):
        standing = known[target]
        events = [event for event in found[target] if event.occurred_at.timestamp() >= standing.over_until]
        if not events:
            tx.count("late_attempts", "after its outage", len(found.pop(target)))
            continue
        moments = [bucket_of(event.occurred_at.timestamp()) for event in events]
        judged = _judge(tx, target, standing, min(moments), max(moments), runtime)
        _raise(context, target, standing, judged, events)
    for target in sorted(lost.keys() - found.keys()):
        if (standing := known[target]).state:
            judged = _judge(tx, target, standing, min(lost[target]), max(lost[target]), runtime)
            _raise(context, target, standing, judged, ())


def count_outages(context: BatchContext) -> int:
    """Return the number of deployments and regions that failed a call of the batch: each may raise an outage."""
    return len(outages.targets(context.folded.blamed).keys() | outages.lost_buckets(context.folded.calls).keys())


def end_outages(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve at most ``limit`` outages that are over. Return whether more may be left.

    Only the time before the newest returned canary is judged, and nothing while a publisher has a backlog: events of
    that time may be missing.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or tx.backlogged():
        return False
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp())
    opened = tx.open_outages()
    limits = {target: outages.limits_of(target, runtime.policy.outages) for target in opened}
    starts = {target: max(old.over_until, until - lookback(limits[target])) for target, old in opened.items()}
    attempts = tx.buckets_of(starts)
    alerts = tx.find_all_open(map(outages.fingerprint, opened)) if opened else {}
    resolved = 0
    for target, standing in opened.items():
        if resolved == limit:
            return True
        alert = alerts.get(outages.fingerprint(target))
        since = bucket_of(alert.first_at.timestamp()) if alert is not None else 0
        end = ended(attempts[target], limits[target], since=since, until=until)
        if end is None:
            continue
        if end is End.UNKNOWN and standing.is_dead and alert is not None and arrived - alert.last_at < _DEAD_LASTS:
            continue  # with so little traffic, 15 min without a call prove nothing
        if alert is not None:
            closed = outages.closing(alert, *outage_sums(tx, alert), end)
            resolve(tx, closed, runtime, now=now)
        tx.keep_outages({target: Outage(over_until=max(standing.over_until, until))})
        resolved += 1
    return False


@dataclass(frozen=True, slots=True)
class _Judged:
    """The verdict on a target's windows, how its failed calls ended, and the grade, ``None`` without an outage."""

    verdict: WindowVerdict
    calls: Calls
    grade: Grade | None


def _judge(tx: OutagePort, target: Target, standing: Outage, first: int, last: int, runtime: Runtime) -> _Judged:
    """Judge the windows that hold the buckets from ``first`` to ``last``."""
    limits = outages.limits_of(target, runtime.policy.outages)
    start = max(standing.over_until, first - limits.reach)
    buckets = tx.buckets(target, start=start, end=last + limits.reach)
    verdict = judge(buckets, limits)
    if limits.share and not standing.is_dead and not any(bucket.succeeded for bucket in buckets):
        verdict = is_dead(tx.buckets(target, start=max(standing.over_until, last - DEAD_REACH)), limits) or verdict
    calls = tx.calls_failed_by(target, start=verdict.since) if verdict.crossed else Calls()
    return _Judged(verdict, calls, grade(verdict, sum(calls.lost.values()), limits))


def _raise(
    context: BatchContext, target: Target, standing: Outage, judged: _Judged, events: Sequence[AttemptFailed]
) -> None:
    """Claim the alert that opens the outage, raises its grade or counts failed calls. Store the target's new state."""
    tx, policy = context.tx, context.runtime.policy.outages
    opened = tx.find_open(outages.fingerprint(target)) if standing.state else None
    kept = tx.count_members(opened.id) if opened is not None else None
    worst = judged.grade.worst(standing.rank) if judged.grade is not None else None
    rises = worst is not None and worst.rank > standing.rank
    if worst is not None and rises and events:
        alert = outages.describe(target, judged.verdict, worst, judged.calls, events, policy, kept=kept)
    elif worst is not None and rises and opened is not None:
        alert = outages.risen(target, opened, worst, judged.calls)
    elif events and opened is not None and kept is not None:
        alert = outages.ongoing(target, opened, judged.verdict, events, policy, kept=kept)
    else:
        return
    claim(tx, alert, context.runtime, now=context.now)
    rank = worst.rank if worst is not None else standing.rank
    dead = standing.is_dead or judged.verdict.is_dead
    after = Outage.of(rank, is_dead=dead, over_until=standing.over_until)
    if after != standing:
        tx.keep_outages({target: after})
