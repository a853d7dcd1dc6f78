"""Verdicts on targets: read the windows of a deployment, region or provider in a transaction, and judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages.ending import End, ended, lookback
from alertworker.outages.grade import Grade, grade, lost_until
from alertworker.outages.model import judge_most
from alertworker.outages.sparse import SPARSE_SECONDS, judge_sparse, may_be_sparse
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict, is_dead, judge, may_be_dead
from alertworker.outages.windows import Bucket, Calls, Outage, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.counted_calls import PlaceScope
from alertworker.ports import Clock


@dataclass(frozen=True, slots=True)
class JudgedTarget:
    """The buckets of a target's windows, the verdict, how failed calls ended, and the grade.

    The grade is ``None`` if the verdict is not an outage.
    """

    buckets: Sequence[Bucket]
    verdict: WindowVerdict
    calls: Calls
    grade: Grade | None


def judge_target(
    context: BatchContext, target: Target, outage: Outage, moments: Sequence[int], scope: PlaceScope
) -> JudgedTarget:
    """Judge the windows that hold the buckets ``moments``."""
    tx, limits = context.tx, outages.limits_of(target, context.runtime.policy.outages)
    first, last = min(moments), max(moments)
    start = max(outage.over_until, first - limits.reach)
    found = tx.outages.buckets(target, start=start, end=last + limits.reach)
    buckets = found if target.deployment_id else scope.clear(target, found)
    verdict = judge_most(buckets, limits) if target.is_provider else judge(buckets, limits)
    if target.deployment_id and limits.share and not outage.is_dead and may_be_dead(buckets, verdict, limits):
        longer = tx.outages.buckets(target, start=max(outage.over_until, last - DEAD_REACH))
        if (dead := is_dead(longer, limits)) is not None:
            buckets, verdict = longer, dead
    if target.deployment_id and not verdict.crossed and may_be_sparse(found, since=first, end=last + limits.reach):
        longer = tx.outages.buckets(
            target, start=max(outage.over_until, first - SPARSE_SECONDS), end=last + SPARSE_SECONDS
        )
        if (sparse := judge_sparse(longer, limits)).crossed:
            buckets, verdict = longer, sparse
    calls = hurt = Calls()
    if verdict.crossed:
        calls = scope.calls_failed_by(target, start=verdict.since, buckets=found, counting=buckets)
    if calls.lost:
        end = lost_until(verdict, limits)
        hurt = scope.calls_failed_by(target, start=verdict.since, end=end, buckets=found, counting=buckets)
    return JudgedTarget(buckets, verdict, calls, grade(verdict, sum(hurt.lost.values()), limits))


def target_is_over(
    context: BatchContext, target: Target, outage: Outage, judged: JudgedTarget, scope: PlaceScope
) -> bool:
    """Return whether late events show an outage that was not noticed and whose target has recovered since.

    Events are late if a canary that was sent after them has returned already.
    """
    arrived = context.tx.clock.read(Clock.CANARY_ARRIVED)
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp()) if arrived is not None else 0
    if judged.verdict.until >= until:
        return False
    limits = outages.limits_of(target, context.runtime.policy.outages)
    found = context.tx.outages.buckets(target, start=max(outage.over_until, until - lookback(limits)), end=until)
    rows = found if target.deployment_id else scope.clear(target, found)
    ending = ended(rows, limits, since=judged.verdict.since, until=until)
    return ending is not None and ending.how is End.RECOVERED
