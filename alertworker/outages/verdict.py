"""Verdicts: whether the sums of a target's windows are an outage.

Pure, and a function of the sums alone, as `windows` explains.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import groupby
from typing import Final

from alertworker.outages.onset import onset
from alertworker.outages.policy import Limits
from alertworker.outages.running_totals import RunningTotals
from alertworker.outages.spread import FAILING, Spread
from alertworker.outages.windows import Bucket, calls_before

#: How far back the failures of a dead target count, in seconds.
DEAD_REACH: Final = 6 * 3_600
#: The minimum time between the first and the last failure of a dead target, in seconds.
_DEAD_SECONDS: Final = 60
#: Rate limits have a break if calls succeed for longer than this, in seconds, and no rate limit is reported.
_BREAK_SECONDS: Final = 60
#: The cause of failures by rate limits.
RATE_LIMIT: Final = "429"


class Threshold(IntEnum):
    """The level of a stretch by the counts of failed calls alone. `Grade` is what an alert shows."""

    NONE = 0
    MINOR = 1
    MAJOR = 2


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """The worst stretch: its level by the counts of calls, and its sums.

    ``since`` is the first failing bucket of the earliest stretch that is an outage. ``until`` is the last failing
    bucket of the worst stretch. Both are epoch seconds. ``first_failure`` is the first failure within ``since``, in
    epoch milliseconds. ``calls`` is the number of the stretch's calls from its first failure on. ``failures`` has, for
    each deployment that failed a call, the number of its failed calls and of all its calls. ``limited_seconds`` is how
    long rate limits lasted without a break. ``is_dead`` means that no call has succeeded since the first failure.
    """

    crossed: Threshold = Threshold.NONE
    since: int = 0
    until: int = 0
    failed: int = 0
    calls: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    limited_seconds: int = 0
    is_dead: bool = False
    first_failure: int = 0


def judge(buckets: Iterable[Bucket], limits: Limits) -> WindowVerdict:
    """Return the verdict on the worst stretch: the most failures, then the earliest.

    A stretch is at most as long as a window. With a minimum share it begins and ends with a failing bucket, so calls
    before the first failure and after the last one do not dilute the share.
    """
    rows = sorted(buckets, key=lambda bucket: (bucket.start, bucket.deployment_id))
    sums = _Sums(rows, limits)
    found: list[tuple[int, int]] = []  # the earliest stretch, and those with more failures than all before
    for first in sums.failing:
        above = sums.failed_within(*found[-1]) if found else 0
        if (stretch := sums.longest_outage(first, above=above)) is not None:
            found.append(stretch)
    if not found:
        return WindowVerdict()
    stretches = [(sums.starts[first], sums.starts[last]) for first, last in (found[-1], found[0])]
    return worst_from(rows, stretches, limits)


def worst_from(rows: Sequence[Bucket], stretches: Sequence[tuple[int, int]], limits: Limits) -> WindowVerdict:
    """Return the verdict on the worst stretch, with the start of the earliest one."""
    worst, earliest = (_within(rows, *stretch, limits) for stretch in stretches)
    return replace(worst, since=earliest.since, first_failure=earliest.first_failure)


def _within(rows: Sequence[Bucket], begin: int, end: int, limits: Limits) -> WindowVerdict:
    """Return the verdict on a stretch, without stray failures before its onset."""
    own = [row for row in rows if begin <= row.start <= end]
    if not limits.share:
        return _verdict(own, limits)
    since = onset(own, limits)
    return _verdict([row for row in own if row.start >= since], limits)


def may_be_dead(buckets: Iterable[Bucket], verdict: WindowVerdict, limits: Limits) -> bool:
    """Return whether a target may be dead by the buckets of its windows: no call succeeded after the last failure.

    If the windows are an outage already, no call may have succeeded within the longest window before the outage,
    either. Earlier successes do not count, so the result does not depend on how events were cut into batches.
    """
    rows = list(buckets)
    failed = max((row.last_failure or row.start * 1_000 for row in rows if row.failed), default=0)
    succeeded = max((row.last_success for row in rows if row.succeeded), default=0)
    return failed > succeeded + (limits.reach * 1_000 if verdict.crossed else 0)


def is_dead(buckets: Iterable[Bucket], limits: Limits) -> WindowVerdict | None:
    """Return the verdict on a dead target, ``None`` if it is not dead. It finds outages at little traffic.

    A deployment is dead if at least ``minor`` calls failed, the first and the last at least a minute apart, and none
    succeeded since. A model is dead if that holds for one of its deployments, another one failed two calls, and no
    deployment answered. A region is never dead.
    """
    rows = sorted(buckets, key=lambda bucket: (bucket.start, bucket.deployment_id))
    success = max((row.last_success for row in rows), default=0)
    # The bucket of the last success does not show how many of its calls failed later, so its failures are left out.
    since = [row for row in rows if row.failed and row.last_failure > success and row.failed_since >= success]
    if not since or (limits.deployments > 1 and not limits.most):
        return None
    found = _verdict(since, limits)
    most = max(failed for failed, _ in found.failures.values())
    lasted = max(row.last_failure for row in since) - since[0].last_failure
    if most < limits.minor or max(lasted, (found.until - found.since) * 1_000) < _DEAD_SECONDS * 1_000:
        return None
    if limits.most and sum(failed >= FAILING for failed, _ in found.failures.values()) < limits.deployments:
        return None
    return replace(found, calls=found.failed, crossed=Threshold.MAJOR, is_dead=True)


class _Sums:
    """The sums of every stretch of a target. Stretches are named by the places of their first and last bucket."""

    def __init__(self, rows: Sequence[Bucket], limits: Limits) -> None:
        self._limits = limits
        self.starts = sorted({row.start for row in rows})
        self._all = RunningTotals(self.starts, rows)
        self.failing = self._all.failing
        self._spread = Spread(self.starts, rows, limits) if limits.deployments > 1 else None

    def failed_within(self, first: int, last: int) -> int:
        """Return the number of failed calls of a stretch."""
        return self._all.failed_within(first, last)

    def longest_outage(self, first: int, *, above: int) -> tuple[int, int] | None:
        """Return the longest stretch from a failing bucket that is an outage; the longest has the most failures.

        It must have more than ``above`` failures.
        """
        lasts = list(self._lasts(first, above))
        if self._spread is not None and not (lasts and self._spread.may_be_spread(first, lasts[0])):
            return None
        proven = (last for last in lasts if self._all.is_outage(first, last, self._limits))
        found = next(proven, None) if self._spread is None else self._spread.last_spread(first, sorted(proven))
        return None if found is None else (first, found)

    def _lasts(self, first: int, above: int) -> Iterator[int]:
        """Yield the possible last buckets of an outage with more than ``above`` failures, the longest stretch first."""
        limits = self._limits
        end = self.starts[first] + (limits.reach if limits.share else limits.span)
        last = bisect_left(self.starts, end) - 1
        # Without a minimum share the counts alone decide, on the whole window.
        ends = self.failing[bisect_left(self.failing, first) : bisect_left(self.failing, last + 1)]
        for place in reversed(ends) if limits.share else [last]:
            if self.failed_within(first, place) < max(limits.minor, above + 1):
                return  # shorter stretches have fewer failures
            yield place


def count_by_deployment(rows: Iterable[Bucket]) -> dict[str, tuple[int, int]]:
    """Return the numbers of failed calls and of all calls, of each deployment that failed a call."""
    failed, calls = Counter[str](), Counter[str]()
    for row in rows:
        failed[row.deployment_id] += row.failed
        calls[row.deployment_id] += row.failed + row.succeeded
    return {name: (count, calls[name]) for name, count in sorted(failed.items()) if count}


def count_calls(rows: Sequence[Bucket]) -> int:
    """Return the number of calls from the first failure on. The first bucket must be a failing one."""
    before = calls_before([row for row in rows if row.start == rows[0].start]) if rows else 0
    return sum(row.failed + row.succeeded for row in rows) - before


def _first_failure(rows: Iterable[Bucket]) -> int:
    return min((row.failed_since for row in rows if row.failed), default=0)


def _verdict(rows: Sequence[Bucket], limits: Limits) -> WindowVerdict:
    causes: Counter[str] = Counter()
    for row in rows:
        causes.update(row.causes)
    failed = causes.total()
    failing = [row for row in rows if row.failed]
    return WindowVerdict(
        crossed=Threshold.MAJOR if failed >= limits.major else Threshold.MINOR,
        since=failing[0].start,
        until=failing[-1].start,
        failed=failed,
        calls=count_calls(rows),
        first_failure=_first_failure(failing),
        causes=causes,
        failures=count_by_deployment(rows),
        limited_seconds=_limited_seconds(rows),
    )


def _limited_seconds(rows: Iterable[Bucket]) -> int:
    """Return how long rate limits lasted: the longest time between buckets with one, without a break.

    A break is longer than `_BREAK_SECONDS`, and calls succeed in it.
    """
    longest, begin, last, has_succeeded = 0, None, 0, False
    for start, same in groupby(rows, key=lambda row: row.start):
        bucket = list(same)
        if not any(row.causes.get(RATE_LIMIT) for row in bucket):
            has_succeeded |= any(row.succeeded for row in bucket)
            continue
        if begin is None or (has_succeeded and start - last > _BREAK_SECONDS):
            begin = start
        longest, last, has_succeeded = max(longest, start - begin), start, False
    return longest
