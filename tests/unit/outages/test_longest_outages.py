"""The search for the worst stretch: it finds what an exhaustive search finds, and its work grows with the buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertworker.outages import running_totals, spread, verdict
from alertworker.outages.evidence import CLEARLY, MIN_EVIDENCE, evidence, is_evident
from alertworker.outages.policy import Limits
from alertworker.outages.sparse import judge_sparse
from alertworker.outages.verdict import judge, worst_from
from alertworker.outages.windows import Bucket, calls_before

DEPLOYMENT = Limits(seconds=60, minor=5, major=10, share=0.1)
#: Low thresholds, so that small inputs are near them. A failed call is no great surprise.
EASY = Limits(seconds=30, minor=2, major=4, share=0.2, tolerated=0.0001)
BY_COUNTS = Limits(seconds=60, minor=3, major=6)


def _variants(limits: Limits) -> Iterator[Limits]:
    yield limits
    yield replace(limits, deployments=2)
    yield replace(limits, deployments=2, most=True)
    yield replace(limits, deployments=2, most=True, answering=1, traffic=6)


LIMITS = [variant for limits in (DEPLOYMENT, EASY, BY_COUNTS) for variant in _variants(limits)]


class Exhaustive:
    """The definition of an outage, for a stretch of buckets. It adds up everything again for each stretch."""

    def __init__(self, rows: Sequence[Bucket], limits: Limits) -> None:
        self.rows, self.limits = rows, limits

    def sums(self, begin: int, end: int, own: str | None = None) -> tuple[int, int, int]:
        """Return the numbers of failed calls, of calls from the first failure on, and of all calls."""
        rows = [one for one in self.rows if begin <= one.start <= end and own in (None, one.deployment_id)]
        failed = sum(row.failed for row in rows)
        calls = failed + sum(row.succeeded for row in rows)
        return failed, calls - calls_before([row for row in rows if row.start == begin]), calls

    def is_outage(self, begin: int, end: int) -> bool:
        limits, (failed, calls, _) = self.limits, self.sums(begin, end)
        if failed < limits.minor or calls < limits.traffic or failed < limits.share * calls:
            return False
        if limits.share:
            proof = evidence(failed, calls, limits.tolerated)
            if proof < MIN_EVIDENCE or proof < self.newest(begin, end) + CLEARLY:
                return False
        return limits.deployments == 1 or self.is_spread(begin, end)

    def newest(self, begin: int, end: int) -> float:
        starts = sorted({row.start for row in self.rows if row.failed and begin < row.start <= end})
        sums = [self.sums(start, end)[:2] for start in starts]
        few = [evidence(failed, calls, self.limits.tolerated) for failed, calls in sums if failed < self.limits.minor]
        return max(few, default=-CLEARLY)

    def is_spread(self, begin: int, end: int) -> bool:
        limits, failing, answering = self.limits, 0, self.limits.answering
        distinct: dict[str, tuple[int, int]] = {}
        for name in sorted({row.deployment_id for row in self.rows}):
            failed, calls, every = self.sums(begin, end, name)
            fails = failed >= (2 if limits.share else 1) and failed >= limits.share * calls
            if fails and (not limits.most or evidence(failed, calls, limits.tolerated) >= 6.4):
                failing += 1
                model = max(row.model for row in self.rows if row.deployment_id == name) or name
                distinct[model] = max(distinct.get(model, (0, 0)), (failed, calls))
            else:
                answering += every > failed
        if limits.most and failing <= answering:
            return False
        if failing < limits.deployments or not limits.share:
            return failing >= limits.deployments
        failed, calls = (sum(one[place] for one in distinct.values()) for place in (0, 1))
        return failed >= limits.minor and calls >= limits.traffic and is_evident(failed, calls, limits.tolerated)

    def longest(self, begin: int) -> tuple[int, int] | None:
        """Return the longest outage from a failing bucket."""
        reach = self.limits.reach if self.limits.share else self.limits.span
        starts = sorted({row.start for row in self.rows if begin <= row.start < begin + reach})
        failing = [start for start in starts if any(row.failed for row in self.rows if row.start == start)]
        ends = failing if self.limits.share else starts[-1:]
        return next(((begin, end) for end in reversed(ends) if self.is_outage(begin, end)), None)


buckets = st.builds(
    Bucket,
    start=st.integers(0, 12).map(lambda place: place * 10),
    deployment_id=st.sampled_from(["d1", "d2", "d3"]),
    succeeded=st.integers(0, 9),
    causes=st.sampled_from([{}, {"503": 1}, {"503": 2}, {"503": 3, "429": 2}]),
    last_success=st.sampled_from([0, 1, 50_000, 200_000]),
    region=st.sampled_from(["", "r"]),
    model=st.sampled_from(["", "m", "n"]),
)


@pytest.mark.parametrize("limits", LIMITS)
@given(rows=st.lists(buckets, max_size=24))
@settings(max_examples=40)
def test_the_worst_and_the_earliest_stretch_are_those_of_an_exhaustive_search(
    limits: Limits, rows: list[Bucket]
) -> None:
    rows = sorted(rows, key=lambda row: (row.start, row.deployment_id))
    every = Exhaustive(rows, limits)
    starts = sorted({row.start for row in rows if row.failed})
    found = [stretch for start in starts if (stretch := every.longest(start)) is not None]
    expected = verdict.WindowVerdict()
    if found:
        worst = max(found, key=lambda stretch: (every.sums(*stretch)[0], -stretch[0]))
        expected = worst_from(rows, [worst, found[0]], limits)

    assert judge(rows, limits) == expected


def spread_out(count: int, deployments: int, *, answered: int) -> list[Bucket]:
    """Return buckets in which a call of one of many deployments failed, and others were answered."""
    return [Bucket(10 * n, f"d{n % deployments}", answered, {"503": 1}, model=f"m{n % 7}") for n in range(count)]


def at_once(count: int, deployments: int, *, answered: int) -> list[Bucket]:
    """Return the same within a quarter of an hour."""
    return [Bucket(10 * (n % 90), f"d{n % deployments}", answered, {"503": 1}, model="m") for n in range(count)]


def sparse(count: int) -> list[Bucket]:
    """Return failures that are an hour's outage nowhere."""
    return [Bucket(100 * n, "d", 20, {"503": 1}) for n in range(count)]


REGION = replace(DEPLOYMENT, deployments=2)
MODEL = replace(REGION, most=True)
SLOW: dict[str, tuple[Any, Limits]] = {
    "one deployment fails": (lambda n: spread_out(n, 1, answered=0), DEPLOYMENT),
    "nearly enough fail": (lambda n: spread_out(n, 1, answered=9), DEPLOYMENT),
    "one deployment of a region": (lambda n: spread_out(n, 1, answered=0), REGION),
    "many deployments of a region": (lambda n: spread_out(n, n // 3, answered=0), REGION),
    "many deployments of a model": (lambda n: spread_out(n, n // 3, answered=1), MODEL),
    "many at once": (lambda n: at_once(n, n // 3, answered=0), REGION),
    "many of a model at once": (lambda n: at_once(n, n // 3, answered=1), MODEL),
    "by counts": (lambda n: spread_out(n, n // 3, answered=0), replace(BY_COUNTS, deployments=9)),
}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the steps of a verdict: judged stretches, examined evidence and added buckets."""
    taken = [0]

    def count(owner: object, name: str) -> None:
        work = getattr(owner, name)

        def counting(*args: Any, **more: Any) -> Any:
            taken[0] += 1
            return work(*args, **more)

        monkeypatch.setattr(owner, name, counting)

    count(running_totals, "evidence")
    count(running_totals.RunningTotals, "is_outage")
    count(running_totals.RunningTotals, "failed_within")
    count(running_totals.RunningTotals, "calls")
    count(spread._Stretch, "add")
    count(spread._Stretch, "is_spread")
    count(spread._Stretch, "_worst_of")
    return taken


@pytest.mark.parametrize("kind", SLOW)
def test_four_times_the_buckets_take_about_four_times_the_work(kind: str, steps: list[int]) -> None:
    """5,000 failed attempts of one model over 18 hours took a minute of CPU."""
    make, limits = SLOW[kind]
    work: list[int] = []
    for count in (500, 2_000):
        steps[0] = 0
        judge(make(count), limits)
        work.append(steps[0])

    assert work[1] < 6 * work[0] + 1_000


def test_the_search_at_little_traffic_looks_at_an_hour_of_each_failure(steps: list[int]) -> None:
    judge_sparse(sparse(500), DEPLOYMENT)
    few, steps[0] = steps[0], 0
    judge_sparse(sparse(2_000), DEPLOYMENT)

    assert steps[0] < 5 * few
