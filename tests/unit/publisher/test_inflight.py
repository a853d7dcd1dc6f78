"""Calls in flight: which are announced, when, and how often."""

from __future__ import annotations

import pytest

from alertworker.publisher.inflight import MAX_CALLS, InFlight


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


def announced(inflight: InFlight) -> list[str]:
    """Return the ids of the calls that are announced now."""
    return [str(fields["call_id"]) for fields in inflight.announcements()]


@pytest.mark.parametrize("threshold", [3.0, 300.0, 900.0, 3_600.0])
def test_a_call_is_announced_at_the_threshold_and_not_before(clock: Clock, threshold: float) -> None:
    """The announced age has reached the threshold."""
    inflight = InFlight(threshold, clock=clock)
    inflight.start("a", dict)
    clock.now += threshold - 0.01
    assert announced(inflight) == []

    clock.now += 0.01
    [fields] = inflight.announcements()
    assert isinstance(fields["age_seconds"], float)
    assert fields["age_seconds"] >= threshold
    assert inflight.finish("a") is True


def test_a_fast_call_is_never_announced(clock: Clock) -> None:
    """The call leaves nothing behind."""
    inflight = InFlight(3, clock=clock)
    inflight.start("a", dict)
    clock.now += 1
    assert inflight.finish("a") is False

    clock.now += 100
    assert announced(inflight) == []
    assert len(inflight) == 0


@pytest.mark.parametrize(("threshold", "patience"), [(0.0001, 10), (0.99, 10), (1, 1), (3, 3)])
def test_below_a_threshold_of_a_second_a_call_hangs_after_ten(clock: Clock, threshold: float, patience: float) -> None:
    """LiteLLM's alerting page sets 0.0001 s, and promises an alert about a slow call only."""
    inflight = InFlight(threshold, clock=clock)
    inflight.start("a", dict)
    clock.now += patience - 0.01
    assert announced(inflight) == []
    clock.now += 0.01
    assert announced(inflight) == ["a"]


def test_an_announced_call_is_announced_again_each_interval(clock: Clock) -> None:
    """A second announcement replaces a lost one, and a call of an hour does not cause 60 alerts a minute."""
    inflight = InFlight(3, clock=clock)
    inflight.start("a", dict)
    times = 0
    for _ in range(601):
        clock.now += 1
        times += len(announced(inflight))
    assert times == 10


def test_progress_keeps_a_stream_alive(clock: Clock) -> None:
    """A stream with chunks is not announced. A stalled stream is announced with the number of its chunks."""
    inflight = InFlight(3, clock=clock)
    inflight.start("a", dict)
    for _ in range(30):
        clock.now += 0.5
        inflight.progress("a")
        assert announced(inflight) == []
    clock.now += 3
    [fields] = inflight.announcements()
    assert fields["chunks"] == 30
    assert isinstance(fields["age_seconds"], float)
    assert 3 <= fields["age_seconds"] < 3.1


def test_a_thousand_hung_calls_are_all_announced(clock: Clock) -> None:
    """No call is forgotten."""
    inflight = InFlight(3, clock=clock)
    for number in range(1_000):
        inflight.start(str(number), dict)
    clock.now += 3
    assert len(announced(inflight)) == 1_000


def test_the_number_of_watched_calls_is_bounded(clock: Clock) -> None:
    """Calls above the bound cost no memory, and calls older than a day are dropped."""
    inflight = InFlight(3, clock=clock)
    for number in range(MAX_CALLS + 10):
        inflight.start(str(number), dict)
    assert len(inflight) == MAX_CALLS
    clock.now += 86_401
    assert announced(inflight) == []
    assert len(inflight) == 0
