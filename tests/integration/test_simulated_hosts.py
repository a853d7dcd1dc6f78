"""The simulator and hosts: their ends can be judged, and what a host could not send was not known."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from alertworker.pipeline.publishers import SILENCE
from bench.simulate.calls import Behaviour, Calls, Truth
from bench.simulate.faults import MINUTE, UNAVAILABLE, Delay, Fault
from bench.simulate.labels import ONE
from bench.simulate.proxies import Proxies
from bench.simulate.scenario import Traffic
from bench.simulate.scenarios import SCENARIOS
from bench.simulate.simulation import simulate, step_at
from bench.simulate.wire import Wire, WireFields
from bench.simulate.world import make_world

#: The scenarios with an end that a label wants, at both traffics.
ENDING: Final = [
    (scenario, incident)
    for make in SCENARIOS.values()
    for scenario in map(make, Traffic)
    for incident in scenario.incidents
    if incident.must is not None and incident.must.end_within is not None
]


def test_until_an_end_may_be_sent_no_turn_is_too_long_for_a_canary() -> None:
    """A canary returns in the next turn. If that takes longer, no host is judged."""
    for scenario, incident in ENDING:
        until = min(scenario.lasts, incident.end + (incident.must.end_within or 0 if incident.must else 0))
        moment = -scenario.warm_up
        while moment < until:
            step = step_at(scenario, moment)
            assert moment < incident.start or step < SILENCE.total_seconds(), scenario.name
            moment += step


def failures_of(*happenings: object) -> Truth:
    """Return the truth about two minutes in which a deployment is down."""
    world, wire, rng = make_world(), Wire(WireFields()), Random(7)
    fault = Fault(0, 120, UNAVAILABLE, frozenset({ONE}))
    proxies = Proxies(happenings, wire, start=0, zero=0)
    calls = Calls(world, (fault, *happenings), proxies, wire, Behaviour(), rng, zero=0)
    for second in range(0, 120, 10):
        calls.advance(second, second + 10, 20.0)
        list(proxies.advance(second, second + 10))
    return calls.truth


def test_a_failure_that_a_host_cannot_send_is_known_when_it_can() -> None:
    """No message is due about an incident that the events do not show."""
    usual, delayed = failures_of().failures[ONE], failures_of(Delay(0, 300, "proxy-0")).failures[ONE]
    held = [moment for moment in delayed if moment >= 120]

    assert len(usual) == len(delayed)
    assert max(usual) < 120
    assert set(held) == {300}
    assert len(held) == pytest.approx(len(delayed) / 3, rel=0.5)


def test_hosts_that_do_not_come_back_are_closed_after_half_an_hour() -> None:
    """Others of the integration are running, so each is taken as replaced."""
    sent = simulate(SCENARIOS["killed-deploy"](Traffic.LOW), Traffic.LOW, 1).sent
    ends = [one for one in sent if one.message.headline.startswith("Closed after 30 min")]

    assert {one.message.labels["host"] for one in ends} == {"proxy-0", "proxy-1", "proxy-2"}
    assert all(29 * MINUTE <= one.at <= 34 * MINUTE for one in ends)
