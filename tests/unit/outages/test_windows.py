"""Windows: the order of events and the cut into batches do not change what counts as an outage."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import Origin
from alertworker.outages.ending import End, Ending, ended
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import Threshold, judge
from alertworker.outages.windows import Bucket, bucket_of, cause

LIMITS = Limits(seconds=60, minor=5, major=10)
REGION = Limits(seconds=60, minor=5, major=10, deployments=2)
BUCKETS = st.builds(
    Bucket,
    start=st.integers(0, 30).map(lambda number: number * 10),
    deployment_id=st.sampled_from(["a", "b"]),
    succeeded=st.integers(0, 50),
    causes=st.dictionaries(st.sampled_from(["503", "timeout"]), st.integers(0, 6)),
)


@pytest.mark.parametrize(
    ("error_class", "status", "origin", "expected"),
    [
        ("BadRequestError", 401, Origin.PROVIDER, "401"),
        ("InternalServerError", 503, Origin.PROVIDER, "503"),
        ("Timeout", 408, Origin.PROVIDER, "timeout"),
        ("APIConnectionError", 500, Origin.PROVIDER, "connection"),
        ("RateLimitError", 429, Origin.PROVIDER, "429"),
        ("BadRequestError", 400, Origin.PROVIDER, None),
        ("ContentPolicyViolationError", 400, Origin.CALLER, None),
        ("RateLimitError", 429, Origin.PROXY, None),
    ],
)
def test_the_origin_decides_first_whether_a_failure_counts(
    error_class: str, status: int, origin: Origin, expected: str | None
) -> None:
    """Origin decides first, then status and class."""
    assert cause(error_class, status, origin) == expected


def test_forty_errors_among_many_good_attempts_are_major() -> None:
    """Healthy traffic hides no outage."""
    verdict = judge([Bucket(0, "a", 320, {"503": 33, "timeout": 7})], LIMITS)
    assert (verdict.crossed, verdict.failed, verdict.calls) == (Threshold.MAJOR, 40, 360)


@pytest.mark.parametrize(
    ("failed", "level"), [(4, Threshold.NONE), (5, Threshold.MINOR), (9, Threshold.MINOR), (10, Threshold.MAJOR)]
)
def test_levels_begin_at_their_thresholds(failed: int, level: Threshold) -> None:
    """A threshold is reached, not exceeded."""
    assert judge([Bucket(0, "a", 0, {"503": failed})], LIMITS).crossed is level


def failures(*seconds: float, deployments: str = "a") -> list[Bucket]:
    """Make the buckets of failures at these seconds, of one deployment after the other."""
    names = [deployments[n % len(deployments)] for n in range(len(seconds))]
    return [Bucket(bucket_of(second), name, 0, {"503": 1}) for second, name in zip(seconds, names, strict=True)]


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        (15, (19.8, 19.85, 19.9, 19.95, 20.0, 20.05, 20.1, 20.15)),
        (60, (9.5, 9.6, 9.7, 9.8, 60.1)),
        (60, (9.5, 9.6, 9.7, 9.8, 69.5)),
        (5, (9.9, 9.95, 10.0, 10.05, 14.9)),
    ],
    ids=["on a bucket's edge", "within the minute", "exactly a minute", "less than a bucket"],
)
def test_a_burst_within_the_window_counts_wherever_it_fell(ttl: int, seconds: tuple[float, ...]) -> None:
    """The edges of the buckets hide nothing, of deployments and of regions."""
    assert judge(failures(*seconds), Limits(ttl, 5, 10)).crossed is Threshold.MINOR
    assert judge(failures(*seconds, deployments="ab"), Limits(ttl, 5, 10, deployments=2)).crossed is Threshold.MINOR


@given(
    ttl=st.integers(1, 200),
    first=st.floats(0, 1_000),
    parts=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_every_burst_that_fits_into_the_window_is_an_outage(ttl: int, first: float, parts: list[float]) -> None:
    """Five failures within the configured seconds reach a threshold of five."""
    seconds = [first, *(first + ttl * part for part in parts)]
    assert judge(failures(*seconds), Limits(ttl, 5, 10)).crossed is Threshold.MINOR


@given(ttl=st.integers(1, 200), first=st.floats(0, 1_000), more=st.floats(0, 50))
def test_failures_a_span_apart_do_not_add_up(ttl: int, first: float, more: float) -> None:
    """A window is less than one bucket longer than configured, or less than two if the configured time is not a
    multiple of ten.
    """
    limits = Limits(ttl, 5, 10)
    assert limits.span - ttl <= (10 if ttl % 10 == 0 else 19)
    four = [first] * 4
    assert judge(failures(*four, first + limits.span + more), limits).crossed is Threshold.NONE


def test_an_outage_ends_with_a_full_window_under_the_threshold() -> None:
    """The window that ends it is as long as those that begin one."""
    buckets = [*failures(19.9, 19.9, 19.9, 19.9, 20.1), Bucket(80, "a", 1, last_success=80_000)]
    assert ended(buckets, LIMITS, since=10, until=80) is None
    assert ended(buckets, LIMITS, since=10, until=90) == Ending(End.RECOVERED, 80)


def test_a_region_needs_two_failing_deployments() -> None:
    """A single failing deployment is not an outage of its region."""
    assert judge([Bucket(0, "a", 0, {"503": 20}), Bucket(0, "b", 20)], REGION).crossed is Threshold.NONE
    assert judge([Bucket(0, "a", 0, {"503": 9}), Bucket(0, "b", 0, {"503": 1})], REGION).crossed is Threshold.MAJOR


def test_share_and_traffic_keep_stray_errors_quiet() -> None:
    """Without a share the counts alone decide."""
    busy = [Bucket(0, "a", 995, {"503": 5})]
    assert judge(busy, Limits(60, 5, 10)).crossed is Threshold.MINOR
    assert judge(busy, Limits(60, 5, 10, share=0.01)).crossed is Threshold.NONE
    assert judge(busy, Limits(60, 5, 10, traffic=1_001)).crossed is Threshold.NONE
    assert judge(busy, Limits(60, 5, 10, share=0.005, traffic=1_000, tolerated=0.00001)).crossed is Threshold.MINOR


@given(st.lists(BUCKETS, max_size=12), st.randoms(use_true_random=False))
def test_order_and_cutting_change_nothing(buckets: list[Bucket], random: Random) -> None:
    """The verdict rests on sums alone."""
    cut = [Bucket(b.start, b.deployment_id, b.succeeded) for b in buckets]
    cut += [Bucket(b.start, b.deployment_id, 0, {name: n}) for b in buckets for name, n in b.causes.items()]
    random.shuffle(cut)
    for limits in (LIMITS, REGION):
        whole, pieces = judge(buckets, limits), judge(cut, limits)
        assert (whole.crossed, whole.since, whole.failed, whole.calls) == (
            pieces.crossed,
            pieces.since,
            pieces.failed,
            pieces.calls,
        )
