"""Outages at little traffic: stretches of up to an hour."""

from __future__ import annotations

from random import Random

from alertworker.outages.ending import ended
from alertworker.outages.policy import Limits
from alertworker.outages.sparse import SPARSE_SECONDS, judge_any, judge_sparse, may_be_sparse
from alertworker.outages.verdict import judge
from alertworker.outages.windows import Bucket

LIMITS = Limits(seconds=60, minor=5, major=10, share=0.1)


def calls(seconds: int, every: int, failing: int, start: int = 0, succeeded: int = 1) -> list[Bucket]:
    """Return buckets with one call ``every`` so many seconds; each ``failing``-th fails, the first one, too."""
    found = []
    for number, at in enumerate(range(start, start + seconds, every)):
        if number % failing:
            found.append(Bucket(at, "d1", succeeded, last_success=at * 1_000))
        else:
            found.append(Bucket(at, "d1", 0, {"503": 1}, last_failure=at * 1_000, first_failure=at * 1_000))
    return found


def test_errors_that_are_too_rare_for_15_minutes() -> None:
    """At three calls a minute every sixth fails: 18 nats take 20 minutes."""
    rows = calls(1_500, 20, 6)
    assert not judge(rows, LIMITS).crossed
    found = judge_sparse(rows, LIMITS)
    assert (found.crossed > 0, found.failed, found.calls) == (True, 13, 73)
    assert judge_any(rows, LIMITS) == found


def test_the_order_of_rows_does_not_matter() -> None:
    rows = calls(1_500, 20, 6)
    assert judge_sparse(rows[::-1], LIMITS) == judge_sparse(rows, LIMITS)


def test_a_stretch_lasts_an_hour_at_most() -> None:
    rows = calls(7_200, 400, 2)
    assert not judge_sparse(rows, LIMITS).crossed
    assert judge_sparse(calls(SPARSE_SECONDS, 300, 1), LIMITS).crossed


def test_at_much_traffic_15_minutes_are_enough() -> None:
    """The same errors an hour ago are no outage of now."""
    rows = [*calls(1_500, 20, 6), *calls(900, 10, 1_000, start=1_500, succeeded=5)]
    late = Bucket(2_400, "d1", 0, {"503": 1}, last_failure=2_400_000)
    assert judge_sparse(rows, LIMITS).until <= 1_500
    assert not may_be_sparse([*rows, late], since=2_400, end=5_000)
    assert may_be_sparse(rows, since=0, end=5_000)


def test_healthy_calls_are_no_outage() -> None:
    """One call in 100 fails, and a burst of three at once."""
    rows = [*calls(3_000, 10, 100), *calls(30, 10, 1, start=3_000), *calls(600, 10, 100, start=3_030)]
    assert not judge_any(rows, LIMITS).crossed


def test_regions_and_counts_alone_have_short_windows() -> None:
    rows = calls(1_500, 20, 6)
    assert not judge_sparse(rows, Limits(seconds=60, minor=5, major=10)).crossed
    assert not judge_sparse(rows, Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)).crossed


def test_an_end_looks_back_as_far() -> None:
    """A sixth of the calls failed. Fifteen successes in 15 minutes without a failure may be chance."""
    answered = [Bucket(at, "d1", 1, last_success=at * 1_000) for at in range(2_220, 3_100, 60)]
    rows = [*calls(2_220, 60, 6), *answered]
    assert ended(rows, LIMITS, since=0, until=3_100) is not None
    assert ended(rows, LIMITS, since=0, until=3_100, reach=SPARSE_SECONDS) is None


def test_a_brownout_does_not_end_by_chance() -> None:
    """15 % of 12 calls a minute fail for 12 hours. In two hours 30 successes in a row are likely, 50 are not."""
    chance, rows = Random(3), list[Bucket]()
    ends = 0
    for start in range(0, 12 * 3_600, 10):
        failed = sum(chance.random() < 0.15 for _ in range(2))
        moment = start * 1_000
        causes = {"503": failed} if failed else {}
        rows.append(Bucket(start, "d1", 2 - failed, causes, moment * (failed < 2), moment * (failed > 0)))
        rows = rows[-360:]
        if start % 30 == 0 and len(rows) == 360:
            ends += ended(rows, LIMITS, since=0, until=start + 10, reach=SPARSE_SECONDS) is not None
    assert ends == 0
