"""Windows: what counts as an outage, whatever the order and the cutting."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import Origin
from alertworker.windows import Bucket, Level, Limits, cause, judge

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
def test_counts_what_the_provider_or_our_credentials_caused(
    error_class: str, status: int, origin: Origin, expected: str | None
) -> None:
    """Origin decides first, then status and class."""
    assert cause(error_class, status, origin) == expected


def test_forty_errors_among_many_good_attempts_are_major() -> None:
    """Healthy traffic hides no outage."""
    verdict = judge([Bucket(0, "a", 320, {"503": 33, "timeout": 7})], LIMITS)
    assert (verdict.level, verdict.failed, verdict.attempts) == (Level.MAJOR, 40, 360)


@pytest.mark.parametrize(("failed", "level"), [(4, Level.NONE), (5, Level.MINOR), (9, Level.MINOR), (10, Level.MAJOR)])
def test_levels_begin_at_their_thresholds(failed: int, level: Level) -> None:
    """A threshold is reached, not exceeded."""
    assert judge([Bucket(0, "a", 0, {"503": failed})], LIMITS).level is level


def test_failures_further_apart_than_the_window_do_not_add_up() -> None:
    """A window is never longer than configured."""
    assert judge([Bucket(0, "a", 0, {"503": 4}), Bucket(60, "a", 0, {"503": 4})], LIMITS).level is Level.NONE
    assert judge([Bucket(0, "a", 0, {"503": 4}), Bucket(50, "a", 0, {"503": 4})], LIMITS).level is Level.MINOR


def test_a_region_needs_two_failing_deployments() -> None:
    """One bad deployment is no bad region."""
    assert judge([Bucket(0, "a", 0, {"503": 20}), Bucket(0, "b", 20)], REGION).level is Level.NONE
    assert judge([Bucket(0, "a", 0, {"503": 9}), Bucket(0, "b", 0, {"503": 1})], REGION).level is Level.MAJOR


def test_share_and_traffic_keep_stray_errors_quiet() -> None:
    """Both settings are off unless set."""
    busy = [Bucket(0, "a", 995, {"503": 5})]
    assert judge(busy, Limits(60, 5, 10, share=0.01)).level is Level.NONE
    assert judge(busy, Limits(60, 5, 10, traffic=1_001)).level is Level.NONE
    assert judge(busy, Limits(60, 5, 10, share=0.005, traffic=1_000)).level is Level.MINOR


@given(st.lists(BUCKETS, max_size=12), st.randoms(use_true_random=False))
def test_order_and_cutting_change_nothing(buckets: list[Bucket], random: Random) -> None:
    """The verdict rests on sums alone."""
    cut = [Bucket(b.start, b.deployment_id, b.succeeded) for b in buckets]
    cut += [Bucket(b.start, b.deployment_id, 0, {name: n}) for b in buckets for name, n in b.causes.items()]
    random.shuffle(cut)
    for limits in (LIMITS, REGION):
        whole, pieces = judge(buckets, limits), judge(cut, limits)
        assert (whole.level, whole.since, whole.failed, whole.attempts) == (
            pieces.level,
            pieces.since,
            pieces.failed,
            pieces.attempts,
        )
