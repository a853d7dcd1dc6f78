"""Outages at little traffic, whose errors are too rare for a window of `LONG_SECONDS`. Pure.

If 15 % of a deployment's calls fail, the proof of an outage needs about 65 calls. At three calls a minute these take 22
minutes. So a stretch may be as long as `SPARSE_SECONDS` if it ends with little traffic. The evidence decides, as in
`verdict`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from alertworker.outages.policy import Limits
from alertworker.outages.running_totals import RunningTotals
from alertworker.outages.verdict import WindowVerdict, judge, worst_from
from alertworker.outages.windows import LONG_SECONDS, WINDOW_SECONDS, Bucket

#: The length of the longest stretch, in seconds.
SPARSE_SECONDS: Final = 3_600
#: The maximum number of calls within `LONG_SECONDS` at little traffic. More calls are enough to prove an outage.
_FEW: Final = 200


def judge_any(buckets: Sequence[Bucket], limits: Limits) -> WindowVerdict:
    """Return the verdict on the windows, else on the stretches at little traffic."""
    verdict = judge(buckets, limits)
    return verdict if verdict.crossed else judge_sparse(buckets, limits)


def judge_sparse(buckets: Iterable[Bucket], limits: Limits) -> WindowVerdict:
    """Return the verdict on the worst stretch that ends with little traffic: the most failures, then the earliest.

    Only deployments are judged, and only with a minimum share: LiteLLM's counts alone are for a short window.
    """
    if not limits.share or limits.deployments > 1:
        return WindowVerdict()
    rows = sorted(buckets, key=lambda bucket: (bucket.start, bucket.deployment_id))
    starts = sorted({row.start for row in rows})
    totals = RunningTotals(starts, rows)
    found: list[tuple[int, int, int]] = []  # the number of failures, the places of the first and of the last bucket
    for last in totals.failing:
        begin = bisect_left(starts, starts[last] + WINDOW_SECONDS - LONG_SECONDS)
        if totals.calls(begin, last) > _FEW:
            continue
        earliest = bisect_left(starts, starts[last] + WINDOW_SECONDS - SPARSE_SECONDS)
        firsts = totals.failing[bisect_left(totals.failing, earliest) : bisect_right(totals.failing, last)]
        first = next((one for one in firsts if totals.is_outage(one, last, limits)), None)
        if first is not None:
            found.append((totals.failed_within(first, last), first, last))
    if not found:
        return WindowVerdict()
    worst = max(found, key=lambda one: (one[0], -one[1]))
    earliest_stretch = min(found, key=lambda one: (one[1], one[2]))
    return worst_from(rows, [(starts[first], starts[last]) for _, first, last in (worst, earliest_stretch)], limits)


def may_be_sparse(buckets: Iterable[Bucket], *, since: int, end: int) -> bool:
    """Return whether a failure from the epoch second ``since`` on may end a stretch at little traffic.

    ``buckets`` are those from `LONG_SECONDS` before ``since`` until ``end``. If calls go on after ``end``, later
    failures may do so.
    """
    rows = sorted(buckets, key=lambda bucket: bucket.start)
    starts = sorted({row.start for row in rows})
    totals = RunningTotals(starts, rows)
    if starts and starts[-1] >= end - LONG_SECONDS // 2:
        return True
    return any(
        totals.calls(bisect_left(starts, starts[place] + WINDOW_SECONDS - LONG_SECONDS), place) <= _FEW
        for place in totals.failing
        if starts[place] >= since
    )


def has_little_traffic(buckets: Iterable[Bucket]) -> bool:
    """Return whether the calls of `LONG_SECONDS` are few."""
    return sum(row.failed + row.succeeded for row in buckets) <= _FEW
