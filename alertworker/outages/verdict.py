"""Verdicts: whether the sums of a target's windows are an outage, and its grade.

Pure, and a function of the sums alone, as `windows` explains.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

from alertworker.alerts.catalogue import Severity
from alertworker.outages.evidence import is_evident
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Limits

#: How far back the failures of a dead target count, in seconds.
DEAD_REACH: Final = 6 * 3_600
#: The minimum time between the first and the last failure of a dead target, in seconds.
_DEAD_SECONDS: Final = 60
#: How long rate limits alone must last to be an outage if no call is lost, in seconds.
_RATE_LIMITED_SECONDS: Final = 300
#: The cause of failures by rate limits.
_RATE_LIMIT: Final = "429"
#: The minimum number of failed calls of a deployment that counts as failing in its region.
_FAILING: Final = 2
#: The minimum number of lost calls, and their minimum share of all calls, that hurt users.
_HARM: Final = 5
_HARM_SHARE: Final = 0.05
#: The minimum number of lost calls that hurt users of a dead target, whatever the share.
_HARM_IF_DEAD: Final = 3
#: The minimum share of failed calls of a major outage that hurts no users.
_MAJOR_SHARE: Final = 0.25


class Level(IntEnum):
    """The level of a stretch by the counts of failed calls alone. `Grade` is what an alert shows."""

    NONE = 0
    MINOR = 1
    MAJOR = 2


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """The worst stretch: its level by the counts of calls, and its sums.

    ``since`` is the first failing bucket of the earliest stretch that is an outage. ``until`` is the last failing
    bucket of the worst stretch. Both are epoch seconds. ``attempts`` is the number of its calls, failed ones included.
    ``is_dead`` means that no call has succeeded since the first failure.
    """

    level: Level = Level.NONE
    since: int = 0
    until: int = 0
    failed: int = 0
    attempts: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    deployments: tuple[str, ...] = ()
    is_dead: bool = False

    @property
    def is_rate_limited(self) -> bool:
        """Whether all failures are rate limits."""
        return set(self.causes) == {_RATE_LIMIT}


class Grade(NamedTuple):
    """How bad an outage is. ``is_high`` means that users are hurt, and decides the severity."""

    is_major: bool
    is_high: bool

    @property
    def rank(self) -> int:
        """The grade as a number from 1 to 4, as it is stored."""
        return 1 + self.is_major + 2 * self.is_high

    @property
    def level(self) -> int:
        """The level of the alert, 1 to 3. A rise sends another message: to High, and then to major."""
        return 1 + self.is_high + (self.is_high and self.is_major)

    @property
    def severity(self) -> Severity:
        """High if users are hurt, else Medium."""
        return Severity.HIGH if self.is_high else Severity.MEDIUM

    def worst(self, rank: int) -> Grade:
        """Return the worse of this grade and an earlier rank, for each of the two fields. Rank 0 is no outage."""
        return Grade(self.is_major or rank in (2, 4), self.is_high or rank > 2)


def grade(verdict: WindowVerdict, lost: int, limits: Limits) -> Grade | None:
    """Return the grade of an outage, ``None`` if there is no outage.

    ``lost`` is the number of calls that failed for users since it began. If the counts alone decide (`Limits.share` is
    0), a major outage is High and a minor one Medium, as in LiteLLM.
    """
    if not verdict.level:
        return None
    major = verdict.level is Level.MAJOR
    if not limits.share:
        return Grade(major, major)
    if verdict.is_rate_limited and not lost:
        lasts = verdict.until - verdict.since >= _RATE_LIMITED_SECONDS
        return Grade(major, is_high=False) if lasts else None
    harm = lost >= _HARM and lost >= _HARM_SHARE * verdict.attempts
    if verdict.is_dead:
        return Grade(is_major=True, is_high=harm or lost >= _HARM_IF_DEAD)
    return Grade(major and (harm or verdict.failed >= _MAJOR_SHARE * verdict.attempts), harm)


def judge(buckets: Iterable[Bucket], limits: Limits) -> WindowVerdict:
    """Return the verdict on the worst stretch: the highest level, then the most failures, then the earliest.

    A stretch is no longer than a window. With a minimum share it begins and ends with a failing bucket, so calls before
    the first failure and after the last one do not dilute the share.
    """
    rows = sorted(buckets, key=lambda bucket: (bucket.start, bucket.deployment_id))
    sums = _Sums(rows)
    worst, since = WindowVerdict(), 0
    for first, last in _stretches(sums, limits):
        if not _matters(sums, first, last, limits):
            continue
        found = _verdict(sums.rows_of(first, last), limits)
        if found.level and not since:
            since = found.since
        if (found.level, found.failed) > (worst.level, worst.failed):
            worst = found
    return replace(worst, since=since or worst.since)


def is_dead(buckets: Iterable[Bucket], limits: Limits) -> WindowVerdict | None:
    """Return the verdict on a dead target, ``None`` if it is not dead. It finds outages at little traffic.

    A deployment is dead if at least ``minor`` calls failed, the first and the last at least a minute apart, and none
    succeeded since. A region is never dead.
    """
    rows = sorted(buckets, key=lambda bucket: (bucket.start, bucket.deployment_id))
    success = max((row.last_success for row in rows), default=0)
    since = [row for row in rows if row.last_failure > success and row.failed]
    if not since or limits.deployments > 1:
        return None
    found = _verdict(since, limits)
    lasted = since[-1].last_failure - since[0].last_failure
    if found.failed < limits.minor or max(lasted, (found.until - found.since) * 1_000) < _DEAD_SECONDS * 1_000:
        return None
    return replace(found, attempts=found.failed, level=Level.MAJOR, is_dead=True)


class _Sums:
    """Failed and all calls by bucket, with running totals, so that the sums of a stretch cost one subtraction."""

    def __init__(self, rows: Sequence[Bucket]) -> None:
        self.rows = rows
        self.starts = sorted({row.start for row in rows})
        failed, calls = Counter[int](), Counter[int]()
        for row in rows:
            failed[row.start] += row.failed
            calls[row.start] += row.failed + row.succeeded
        self.failing = [start for start in self.starts if failed[start]]
        self._failed = [0, *accumulate(failed[start] for start in self.starts)]
        self._calls = [0, *accumulate(calls[start] for start in self.starts)]

    def between(self, first: int, last: int) -> tuple[int, int]:
        """Return the number of failed and of all calls from bucket ``first`` to ``last``, both included."""
        left, right = bisect_left(self.starts, first), bisect_right(self.starts, last)
        return self._failed[right] - self._failed[left], self._calls[right] - self._calls[left]

    def rows_of(self, first: int, last: int) -> Sequence[Bucket]:
        """Return the buckets from ``first`` to ``last``, both included."""
        left = bisect_left(self.rows, first, key=lambda row: row.start)
        right = bisect_right(self.rows, last, key=lambda row: row.start)
        return self.rows[left:right]


def _stretches(sums: _Sums, limits: Limits) -> Iterator[tuple[int, int]]:
    """Yield the first and the last bucket of each stretch; if the counts alone decide, of each short window."""
    if not limits.share:
        for first in sums.failing:
            yield first, first + limits.span - WINDOW_SECONDS
        return
    for number, first in enumerate(sums.failing):
        for last in sums.failing[number : bisect_left(sums.failing, first + limits.reach)]:
            yield first, last


def _matters(sums: _Sums, first: int, last: int, limits: Limits) -> bool:
    failed, calls = sums.between(first, last)
    if failed < limits.minor or calls < limits.traffic or failed < limits.share * calls:
        return False
    if limits.deployments > 1 and len(_failing_deployments(sums.rows_of(first, last), limits)) < limits.deployments:
        return False
    return not limits.share or is_evident(failed, calls, limits.tolerated)


def _failing_deployments(rows: Iterable[Bucket], limits: Limits) -> set[str]:
    failed, calls = Counter[str](), Counter[str]()
    for row in rows:
        failed[row.deployment_id] += row.failed
        calls[row.deployment_id] += row.failed + row.succeeded
    least = _FAILING if limits.share else 1
    return {name for name, count in failed.items() if count >= least and count >= limits.share * calls[name]}


def _verdict(rows: Sequence[Bucket], limits: Limits) -> WindowVerdict:
    causes: Counter[str] = Counter()
    for row in rows:
        causes.update(row.causes)
    failed = causes.total()
    failing = [row for row in rows if row.failed]
    return WindowVerdict(
        level=Level.MAJOR if failed >= limits.major else Level.MINOR,
        since=failing[0].start,
        until=failing[-1].start,
        failed=failed,
        attempts=failed + sum(row.succeeded for row in rows),
        causes=causes,
        deployments=tuple(sorted({row.deployment_id for row in failing})),
    )
