"""The decision after an attempt: a retry at a certain time, or none."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.delivery.retry import TRANSIENT, Dead, DeliveryError, Reason, RetryAt, RetryPolicy, after_failure

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
POLICY = RetryPolicy()


def decide(error: DeliveryError, *, attempts: int = 0, in_a_row: int = 0, age: float = 0) -> RetryAt | Dead:
    """Decide with a fixed jitter."""
    return after_failure(
        error,
        attempts=attempts,
        in_a_row=in_a_row,
        created_at=NOW - timedelta(seconds=age),
        now=NOW,
        policy=POLICY,
        jitter=random.Random(7),
    )


@pytest.mark.parametrize("reason", sorted(set(Reason) - TRANSIENT))
def test_a_permanent_failure_is_a_dead_letter_at_once(reason: Reason) -> None:
    """It becomes a dead letter with its reason."""
    assert decide(DeliveryError("no", reason)) == Dead(reason)


@pytest.mark.parametrize("reason", sorted(TRANSIENT))
def test_a_transient_failure_is_retried_until_the_deadline(reason: Reason) -> None:
    """A day after its birth a message is let go."""
    assert isinstance(decide(DeliveryError("x", reason)), RetryAt)
    assert decide(DeliveryError("x", reason), age=POLICY.deadline + 1) == Dead(Reason.EXPIRED)


def test_a_receiver_that_asks_for_time_pauses_its_lane_and_costs_no_attempt() -> None:
    """The whole lane waits, as long as it asked."""
    assert decide(DeliveryError("busy", Reason.RATE_LIMITED, retry_after=2)) == RetryAt(
        NOW + timedelta(seconds=2), counts=False, pauses_lane=True
    )


def test_an_absurd_retry_after_is_bounded() -> None:
    """A receiver must not stop messages for a year."""
    verdict = decide(DeliveryError("busy", Reason.RATE_LIMITED, retry_after=31_536_000))

    assert verdict == RetryAt(NOW + timedelta(seconds=POLICY.longest_retry_after), counts=False, pauses_lane=True)


@given(in_a_row=st.integers(0, 10_000), wait=st.sampled_from([None, 0.0]), seed=st.integers())
def test_a_receiver_that_asks_for_time_and_not_how_much_is_asked_ever_less(
    in_a_row: int, wait: float | None, seed: int
) -> None:
    """It costs no attempt, so the failures of its lane in a row decide the wait, up to the longest wait."""
    error = DeliveryError("busy", Reason.RATE_LIMITED, retry_after=wait)
    waits = [
        after_failure(
            error, attempts=0, in_a_row=number, created_at=NOW, now=NOW, policy=POLICY, jitter=random.Random(seed)
        )
        for number in (in_a_row, in_a_row + 1)
    ]

    first, second = (verdict for verdict in waits if isinstance(verdict, RetryAt))
    assert not first.counts
    assert first.pauses_lane
    assert first.in_a_row == in_a_row + 1
    assert (
        POLICY.first / 2
        <= (first.at - NOW).total_seconds()
        <= min(POLICY.longest, POLICY.first * 2 ** min(in_a_row, 32))
    )
    assert first.at <= second.at


def test_a_429_that_names_no_time_waits_longer_the_more_failed_in_a_row() -> None:
    """Though the message itself has no attempt that counts."""
    few, many = (decide(DeliveryError("busy", Reason.RATE_LIMITED), in_a_row=number) for number in (0, 12))

    assert isinstance(few, RetryAt)
    assert isinstance(many, RetryAt)
    assert few.at <= NOW + timedelta(seconds=POLICY.first)
    assert many.at > NOW + timedelta(seconds=10)


def test_a_lane_is_probed_only_where_nothing_succeeded_before() -> None:
    """A single failed message does not block its lane."""
    error = DeliveryError("down", Reason.SERVER_ERROR)
    alone, again = decide(error), decide(error, in_a_row=8)

    assert isinstance(alone, RetryAt)
    assert isinstance(again, RetryAt)
    assert alone.probe_at is None
    assert again.probe_at is not None
    assert NOW < again.probe_at <= NOW + timedelta(seconds=256)


@given(attempts=st.integers(0, 10_000), seed=st.integers())
def test_backoff_grows_within_its_bounds(attempts: int, seed: int) -> None:
    """Each wait is at least half the first and at most the longest, however many attempts there were."""
    verdict = after_failure(
        DeliveryError("x", Reason.SERVER_ERROR),
        attempts=attempts,
        in_a_row=0,
        created_at=NOW,
        now=NOW,
        policy=POLICY,
        jitter=random.Random(seed),
    )

    assert isinstance(verdict, RetryAt)
    wait = (verdict.at - NOW).total_seconds()
    assert POLICY.first / 2 <= wait <= min(POLICY.longest, POLICY.first * 2 ** min(attempts, 32))


@given(st.floats(0, 3_600))
def test_no_attempt_comes_before_the_time_that_was_asked_for(seconds: float) -> None:
    """Retry-After is a floor."""
    verdict = decide(DeliveryError("busy", Reason.SERVER_ERROR, retry_after=seconds))

    assert isinstance(verdict, RetryAt)
    assert verdict.at >= NOW + timedelta(seconds=seconds) - timedelta(microseconds=1)
