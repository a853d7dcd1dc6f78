"""Runs one scenario at one traffic with one seed: the world and the pipeline, step by step."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from bench.simulate.calls import Calls, Truth
from bench.simulate.faults import DAY, MINUTE, RATE_LIMIT, Fault
from bench.simulate.pipeline import Pipeline, Sent
from bench.simulate.proxies import Proxies
from bench.simulate.scenario import Incident, Scenario, Traffic
from bench.simulate.wire import Wire, WireFields, batch_of
from bench.simulate.world import World, make_world

#: How often the world and the pipeline take turns, in seconds: while something happens, while its end may be sent late,
#: and otherwise. A turn costs more than the calls in it. A canary returns in the next turn, and hosts are not judged if
#: that takes 45 s: in idle turns their end is never sent.
_BUSY: Final = 15.0
_CALM: Final = 30.0
_IDLE: Final = 60.0
#: How long before and after an incident something counts as happening, and for how long its end may be sent at least.
_BEFORE, _AFTER, _LATE = 60.0, 180.0, 780.0
#: Short bursts of 429 that each deployment has on a healthy day; how long they are, in seconds, and how dense.
_BURSTS: Final = 2.0
_BURST_SECONDS: Final = (10.0, 40.0)
_BURST_SHARE: Final = (0.2, 0.6)


@dataclass(frozen=True, slots=True)
class Run:
    """The sent messages, in seconds after the warm-up, the true events, and the seconds of CPU.

    ``zero`` is the end of the warm-up in epoch seconds.
    """

    sent: tuple[Sent, ...]
    truth: Truth
    took: float
    zero: float = 0.0


def simulate(scenario: Scenario, traffic: Traffic, seed: int, fields: WireFields | None = None) -> Run:
    """Run a scenario to its end."""
    began = time.process_time()
    rng = Random(f"{scenario.name} {traffic} {seed}")
    world = make_world()
    start = datetime.fromisoformat(scenario.begins).timestamp()
    zero, end = start + scenario.warm_up, start + scenario.warm_up + scenario.lasts
    wire = Wire(fields or WireFields())
    happenings = (*scenario.happenings, *_bursts(world, rng, scenario))
    proxies = Proxies(happenings, wire, start=start, zero=zero)
    calls = Calls(world, happenings, proxies, wire, scenario.behaviour, rng, zero=zero)
    pipeline = Pipeline(scenario.settings, Random(seed))
    for silence in scenario.silences:
        pipeline.silence(silence.matchers, zero + silence.start, zero + silence.end)
    now = start
    while now < end:
        step = step_at(scenario, now - zero)
        calls.advance(now, now + step, rate_at(scenario, traffic, now))
        now += step
        pipeline.tick([batch_of(events) for _, events in proxies.advance(now - step, now)], now)
    pipeline.close()
    sent = tuple(Sent(one.at - zero, one.message) for one in pipeline.channel.sent)
    return Run(sent, calls.truth, time.process_time() - began, zero)


def step_at(scenario: Scenario, moment: float) -> float:
    """Return how many seconds the step that begins at a moment takes; what is decided hardly depends on it."""
    stretches = [(one.start - _BEFORE, one.end, _late(one)) for one in scenario.incidents]
    stretches += [(one.end - _BEFORE, one.end, _LATE) for one in scenario.silences]
    if any(start <= moment < end + _AFTER for start, end, _ in stretches):
        return scenario.step or _BUSY
    return _CALM if any(start <= moment < end + late for start, end, late in stretches) else _IDLE


def _late(incident: Incident) -> float:
    """Return for how long after an incident its end may be sent, and a minute."""
    within = incident.must.end_within if incident.must is not None else None
    return max(_LATE, (within or 0) + MINUTE)


def rate_at(scenario: Scenario, traffic: Traffic, moment: float) -> float:
    """Return the calls per second at an epoch second: the most at 14:00, the least at 02:00 UTC."""
    wave = math.cos(2 * math.pi * (moment % DAY - 14 * 3_600) / DAY)
    if scenario.day:
        return 0.5 * math.pow(100, (1 + wave) / 2)
    return (scenario.rate or traffic.rate) * (1 + 0.4 * wave * (scenario.lasts >= DAY / 4))


def _bursts(world: World, rng: Random, scenario: Scenario) -> list[Fault]:
    """Return bursts of 429 as every deployment has them now and then."""
    found = []
    for deployment in world.deployments:
        moment = -scenario.warm_up + rng.expovariate(_BURSTS / DAY)
        while moment < scenario.lasts:
            lasts, share = rng.uniform(*_BURST_SECONDS), rng.uniform(*_BURST_SHARE)
            found.append(Fault(moment, moment + lasts, RATE_LIMIT, frozenset({deployment}), share=share))
            moment += rng.expovariate(_BURSTS / DAY)
    return found
