"""The bound on events over HTTP: how many an address may send, and when again."""

from __future__ import annotations

import pytest

from alertworker.web.errors import Refusal
from alertworker.web.event_rate import BURST, EventRate

ONE, OTHER = "192.0.2.1", "192.0.2.2"


def test_an_address_may_send_a_minute_of_events_at_once_and_then_at_its_rate() -> None:
    """Other addresses are not affected."""
    rate = EventRate(100)
    rate.take(ONE, round(100 * BURST), 10, now=0)
    rate.take(ONE, 250, 10, now=0)
    with pytest.raises(Refusal, match="more than 100 events a second") as refused:
        rate.take(ONE, 10, 10, now=0)
    assert (refused.value.status, refused.value.retry_after) == (429, 3)
    rate.take(OTHER, 10, 10, now=0)
    rate.take(ONE, 10, 10, now=3)


def test_a_heartbeat_arrives_while_its_publisher_must_wait() -> None:
    """Without one the publisher would seem to be lost. Single events have a bound, too."""
    rate = EventRate(10)
    rate.take(ONE, round(10 * BURST) + 10, 10, now=0)
    with pytest.raises(Refusal):
        rate.take(ONE, 2, 10, now=0)
    for _ in range(round(10 * BURST) - 9):
        rate.take(ONE, 1, 400, now=0)
    with pytest.raises(Refusal):
        rate.take(ONE, 1, 400, now=0)


def test_a_forged_count_does_not_help() -> None:
    """A sealed batch states its number of events in a header."""
    rate = EventRate(1)
    rate.take(ONE, 0, 4_000_000, now=0)
    with pytest.raises(Refusal):
        rate.take(ONE, 0, 4_000_000, now=0)


def test_zero_bounds_nothing() -> None:
    rate = EventRate(0)
    for _ in range(3):
        rate.take(ONE, 10_000_000, 10, now=0)


def test_what_a_body_costs_is_charged_once() -> None:
    """First by an estimate, then by its decompressed size, then by its number of events: the largest counts."""
    rate = EventRate(1)
    charge = rate.take(ONE, 1, 3_000, now=0)
    charge.at_least(0, 40_000)
    charge.at_least(round(BURST), 40_000)
    rate.take(ONE, 2, 10, now=0)
    with pytest.raises(Refusal) as refused:
        rate.take(ONE, 2, 10, now=0)
    assert refused.value.retry_after == 2
