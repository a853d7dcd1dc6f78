"""Verdicts with a minimum share: what proves an outage, how bad it is, and when it is over."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.alerts.catalogue import Severity
from alertworker.outages.ending import End, ended, still_fails
from alertworker.outages.evidence import evidence, is_evident
from alertworker.outages.grade import Grade, grade
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import Threshold, WindowVerdict, is_dead, judge
from alertworker.outages.windows import Bucket, Outage

LIMITS = Limits(seconds=60, minor=5, major=10, share=0.1)
REGION = Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)


@pytest.mark.parametrize(
    ("failed", "calls", "expected"),
    [
        (5, 5, True),
        (5, 6, True),
        (6, 10, True),
        (7, 20, True),
        (9, 50, True),
        (12, 100, True),
        (20, 200, True),
        (5, 10, False),
        (8, 40, False),
        (4, 4, False),
        (99, 1_000, False),
    ],
)
def test_failures_must_be_enough_a_share_and_more_than_chance(failed: int, calls: int, *, expected: bool) -> None:
    """The table of ADR 11."""
    found = judge([Bucket(0, "d1", calls - failed, {"503": failed})], LIMITS)
    assert bool(found.crossed) is expected


def test_evidence_is_none_at_or_below_the_tolerated_rate() -> None:
    """Fewer failures than are tolerated count in favour of the deployment."""
    assert evidence(1, 100, 0.01) == evidence(0, 50, 0.01) == evidence(0, 0, 0.01) == 0
    assert not is_evident(30, 3_000, 0.01)


def test_calls_before_and_after_the_failures_do_not_hide_them() -> None:
    """Five minutes of health around half a minute of none, in any order."""
    buckets = [Bucket(second, "d1", 20) for second in range(0, 600, 10)]
    buckets += [Bucket(second, "d1", 0, {"503": 3}) for second in (300, 310, 320)]
    Random(1).shuffle(buckets)
    buckets = [bucket for bucket in buckets if bucket.failed or bucket.start not in (300, 310, 320)]

    found = judge(buckets, LIMITS)
    assert (found.crossed, found.since, found.failed, found.calls) == (Threshold.MINOR, 300, 9, 9)


def test_a_healthy_deployment_is_none_at_any_traffic() -> None:
    """0.5 % errors at 20 calls/s, 2 calls/s and one call in five seconds, for ten hours."""
    chance = Random(7)
    for calls in (200, 20, 2):
        failures = {start: sum(chance.random() < 0.005 for _ in range(calls)) for start in range(0, 36_000, 10)}
        rows = [Bucket(start, "d1", calls - bad, {"500": bad} if bad else {}) for start, bad in failures.items()]
        for first in range(0, 36_000, 900):
            around = [row for row in rows if first - 900 <= row.start < first + 900]
            assert judge(around, LIMITS).crossed is Threshold.NONE


def test_a_stray_failure_of_a_sibling_makes_no_region() -> None:
    """Each of two deployments must fail calls, and a share of its own."""
    down = Bucket(0, "d1", 0, {"503": 20})
    assert judge([down, Bucket(0, "d2", 9, {"503": 1})], REGION).crossed is Threshold.NONE
    assert judge([down, Bucket(0, "d2", 98, {"503": 2})], REGION).crossed is Threshold.NONE
    assert judge([down, Bucket(0, "d2", 2, {"503": 2})], REGION).crossed is Threshold.MAJOR


def _failure(second: int) -> Bucket:
    return Bucket(second, "d1", 0, {"503": 1}, last_failure=second * 1_000)


def test_a_target_is_dead_when_nothing_succeeds_since_its_first_failure() -> None:
    """Five failures, a minute apart; a success before them changes nothing, one after them does."""
    failures = [_failure(second) for second in (1_000, 3_000, 5_000, 7_000, 9_000)]
    found = is_dead([Bucket(0, "d1", 1, last_success=5_000), *failures], LIMITS)
    assert found is not None
    assert (found.failed, found.calls, found.since, found.is_dead) == (5, 5, 1_000, True)

    assert is_dead(failures[1:], LIMITS) is None
    assert is_dead([*failures, Bucket(9_500, "d1", 1, last_success=9_500_000)], LIMITS) is None
    assert is_dead([Bucket(1_000, "d1", 0, {"503": 5}, last_failure=1_009_000)], LIMITS) is None


def test_failures_before_the_last_success_of_a_bucket_do_not_make_a_target_dead() -> None:
    """Three of four calls of the first bucket failed before one succeeded. Only the last one failed after it."""
    mixed = Bucket(1_000, "d1", 1, {"503": 4}, last_success=1_008_000, last_failure=1_009_000, first_failure=1_001_000)
    later = [_failure(second) for second in (2_000, 3_000, 4_000)]
    assert is_dead([mixed, *later], LIMITS) is None
    found = is_dead([mixed, *later, *map(_failure, (5_000, 6_000))], LIMITS)
    assert found is not None
    assert (found.failed, found.since) == (5, 2_000)


@pytest.mark.parametrize(
    ("starts", "succeeded", "lasted"),
    [
        ([0, 10, 310, 320], [100, 200], 10),
        ([0, 10, 310, 320], [], 320),
        ([*range(0, 400, 60)], [*range(0, 400, 10)], 360),
        ([0, 120, 240, 360], [0, 120], 360),
    ],
    ids=["two bursts", "few calls", "calls succeed in between", "none succeeds in between"],
)
def test_rate_limits_last_until_calls_succeed_again(starts: list[int], succeeded: list[int], lasted: int) -> None:
    rows = [
        Bucket(start, "d1", start in succeeded, {"429": 5} if start in starts else {})
        for start in sorted({*starts, *succeeded})
    ]
    assert judge(rows, LIMITS).limited_seconds == lasted


def _verdict(
    failed: int, calls: int, *, lasts: int = 60, cause: str = "503", stray: int = 0, dead: bool = False
) -> WindowVerdict:
    level = Threshold.MAJOR if failed >= LIMITS.major else Threshold.MINOR
    causes = {cause: failed - stray} | ({"503": stray} if stray else {})
    return WindowVerdict(
        level, 0, lasts, failed, calls, causes, limited_seconds=lasts if cause == "429" else 0, is_dead=dead
    )


@pytest.mark.parametrize(
    ("verdict", "lost", "expected"),
    [
        (_verdict(9, 9), 0, Grade(is_major=False, is_high=False)),
        (_verdict(9, 9), 5, Grade(is_major=False, is_high=True)),
        (_verdict(40, 400), 0, Grade(is_major=False, is_high=False)),
        (_verdict(100, 400), 0, Grade(is_major=True, is_high=False)),
        (_verdict(40, 400), 20, Grade(is_major=True, is_high=True)),
        (_verdict(40, 400), 19, Grade(is_major=False, is_high=False)),
        (_verdict(5, 5, dead=True), 2, Grade(is_major=True, is_high=False)),
        (_verdict(5, 5, dead=True), 3, Grade(is_major=True, is_high=True)),
        (_verdict(9, 9, cause="429", dead=True), 2, None),
        (_verdict(9, 9, cause="429", dead=True), 3, Grade(is_major=True, is_high=True)),
        (_verdict(9, 9, cause="429", dead=True, lasts=300), 0, Grade(is_major=True, is_high=False)),
        (_verdict(40, 40, cause="429"), 0, None),
        (_verdict(40, 40, cause="429", lasts=300), 0, Grade(is_major=True, is_high=False)),
        (_verdict(40, 40, cause="429"), 10, Grade(is_major=True, is_high=True)),
        (_verdict(40, 40, cause="429"), 1, None),
        (_verdict(9, 24, cause="429", stray=2), 1, None),
        (_verdict(20, 24, cause="429", stray=9), 0, Grade(is_major=True, is_high=False)),
    ],
)
def test_the_level_follows_harm(verdict: WindowVerdict, lost: int, expected: Grade | None) -> None:
    """Lost calls make it High; rate limits of calls that are saved must last."""
    assert grade(verdict, lost, LIMITS) == expected


def test_ranks_rise_with_severity_and_never_fall() -> None:
    """A rank is what rows keep of a grade."""
    ranks = [Grade(major, high).rank for high in (False, True) for major in (False, True)]
    assert ranks == [1, 2, 3, 4]
    assert Grade(is_major=False, is_high=True).worst(2) == Grade(is_major=True, is_high=True)
    assert Grade(is_major=False, is_high=False).worst(0).severity is Severity.MEDIUM
    state = Outage.of(3, is_dead=True, over_until=70)
    assert (state.rank, state.is_dead, Outage(2).rank, Outage(2).is_dead) == (3, True, 2, False)


@pytest.mark.parametrize(("share", "least"), [(1.0, 1), (0.5, 15), (0.15, 65)])
def test_the_end_needs_more_successes_than_the_error_rate_explains(share: float, least: int) -> None:
    """A full outage needs one success. An outage with 15 % errors needs more than 40, as many calls fail in a day."""
    bad = [
        Bucket(second, "d1", round(20 * (1 - share)), {"503": round(20 * share)}, last_failure=second * 1_000)
        for second in range(0, 100, 10)
    ]
    for successes, expected in ((least - 1, None), (least, End.RECOVERED)):
        good = [Bucket(150, "d1", successes, last_success=150_000)] if successes else []
        ending = ended([*bad, *good], LIMITS, since=0, until=200)
        assert (None if ending is None else ending.how) is expected


BUCKETS = st.lists(
    st.builds(
        Bucket,
        start=st.integers(0, 130).map(lambda number: number * 10),
        deployment_id=st.sampled_from(["d1", "d2", "d3"]),
        succeeded=st.integers(0, 20),
        causes=st.dictionaries(st.sampled_from(["503", "429"]), st.integers(0, 9)),
    ),
    max_size=20,
)


@given(BUCKETS)
@pytest.mark.parametrize("limits", [LIMITS, REGION], ids=["deployment", "region"])
def test_the_verdict_is_that_of_looking_at_every_stretch(limits: Limits, buckets: list[Bucket]) -> None:
    """It is found without looking at each, because that would take seconds in a long outage."""
    failing = sorted({bucket.start for bucket in buckets if bucket.failed})
    found = []
    for first in failing:
        for last in (one for one in failing if first <= one < first + limits.reach):
            rows = [bucket for bucket in buckets if first <= bucket.start <= last]
            failed, calls = sum(row.failed for row in rows), sum(row.failed + row.succeeded for row in rows)
            by_deployment = {name: [row for row in rows if row.deployment_id == name] for name in ("d1", "d2", "d3")}
            bad = 0
            for own in by_deployment.values():
                of_own = sum(row.failed for row in own)
                bad += of_own >= 2 and of_own >= 0.1 * sum(row.failed + row.succeeded for row in own)
            enough = failed >= limits.minor and failed >= limits.share * calls and is_evident(failed, calls, 0.01)
            if enough and (limits.deployments == 1 or bad >= limits.deployments):
                found.append((failed, first))

    verdict = judge(buckets, limits)
    assert bool(verdict.crossed) is bool(found)
    if found:
        assert verdict.failed <= max(found)[0]
        assert verdict.since >= min(first for _, first in found)
        assert is_evident(verdict.failed, verdict.calls, 0.01)


def test_a_stray_failure_before_an_outage_is_not_part_of_it() -> None:
    """Thousands of calls succeeded between them."""
    healthy = [Bucket(start, "d1", 40) for start in range(10, 600, 10)]
    down = [Bucket(start, "d1", 0, {"503": 40}) for start in range(600, 630, 10)]
    verdict = judge([Bucket(0, "d1", 39, {"timeout": 1}), *healthy, *down], LIMITS)

    assert (verdict.since, verdict.failed, verdict.calls) == (600, 120, 120)


def test_a_stray_failure_is_left_out_although_few_calls_succeeded_after_it() -> None:
    """At little traffic five calls succeed in ten minutes. 55 % of all calls failed, but 100 % of the outage's."""
    healthy = [Bucket(start, "d1", 1) for start in range(100, 600, 100)]
    down = [Bucket(start, "d1", 0, {"503": 1}) for start in range(600, 650, 10)]
    verdict = judge([Bucket(0, "d1", 0, {"timeout": 1}), *healthy, *down], LIMITS)

    assert (verdict.since, verdict.failed, verdict.calls) == (600, 5, 5)


def test_stray_failures_do_not_make_up_for_failures_that_an_outage_lacks() -> None:
    """Four of four calls are stronger evidence than six of thirteen, so the outage waits for its fifth failure."""
    strays = [Bucket(start, "d1", 4, {"timeout": 1}) for start in (0, 10)]
    down = [Bucket(start, "d1", 0, {"503": 1}) for start in range(600, 650, 10)]

    assert not judge([*strays, *down[:4]], LIMITS).crossed
    verdict = judge([*strays, *down], LIMITS)
    assert (verdict.since, verdict.failed) == (600, 5)


@pytest.mark.parametrize(
    ("good", "after", "expected"),
    [(0, 0, True), (1, 0, False), (0, 95, False)],
)
def test_an_outage_holds_until_the_latest_call_succeeds(good: int, after: int, *, expected: bool) -> None:
    """It needs a failure after the given time, too."""
    bad = [Bucket(second, "d1", 0, {"503": 2}, last_failure=second * 1_000) for second in range(0, 100, 10)]
    rows = [*bad, *[Bucket(110, "d1", good, last_success=110_000)] * bool(good)]
    assert still_fails(rows, LIMITS, after=after) is expected


def test_a_brownout_holds_after_a_few_successes() -> None:
    """15 % of the calls failed, so ten successes in a row are likely."""
    bad = [Bucket(second, "d1", 17, {"503": 3}, last_failure=second * 1_000) for second in range(0, 100, 10)]
    for good, expected in ((10, True), (30, False)):
        rows = [*bad, Bucket(110, "d1", good, last_success=110_000)]
        assert still_fails(rows, LIMITS, after=50) is expected
