"""The arrivals of calls: the usual traffic, the scenario's additions, and LiteLLM's own health checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from bench.simulate.faults import BAD_KEY, Error, HealthChecks, Load
from bench.simulate.world import Caller, Deployment, World, caller

#: The share of calls with a key that does not exist.
BAD_KEYS: Final = 0.001


class Arrival(NamedTuple):
    """A call that comes in; with ``refused`` the proxy does not route it."""

    moment: float
    group: str
    caller: Caller
    refused: Error | None = None


class Check(NamedTuple):
    """A health check of a deployment, which may fail."""

    moment: float
    deployment: Deployment
    error: Error | None


@dataclass(slots=True)
class _Stream:
    """The time of the next call of a load, or round of checks, and the number before it."""

    moment: float
    count: int = 0


class Arrivals:
    """Draws calls. ``only`` is the number of the only caller; ``shares`` replace the groups' shares of all calls."""

    def __init__(
        self,
        world: World,
        happenings: Sequence[object],
        rng: Random,
        *,
        zero: float,
        only: int | None = None,
        shares: Mapping[str, float],
    ) -> None:
        self._world, self._rng, self._zero = world, rng, zero
        self._only = None if only is None else caller(only)
        self._groups = list(world.groups.values())
        self._shares = list(accumulate(shares.get(one.name, one.share) for one in self._groups))
        self._loads = [(one, _Stream(zero + one.start)) for one in happenings if isinstance(one, Load)]
        self._checks = [(one, _Stream(zero + one.start)) for one in happenings if isinstance(one, HealthChecks)]

    def calls(self, begin: float, until: float, rate: float) -> list[Arrival]:
        """Return the calls of a step in the order of time, at a rate per second beside the loads."""
        return sorted([*self._usual(begin, until, rate), *self._extra(until)], key=lambda one: one.moment)

    def checks(self, until: float) -> Iterator[Check]:
        """Yield the health checks until a moment."""
        for checks, stream in self._checks:
            while stream.moment < min(until, self._zero + checks.end):
                for one in self._world.deployments.values():
                    yield Check(stream.moment, one, checks.error if one.id in checks.failing else None)
                stream.moment += checks.every

    def _usual(self, begin: float, until: float, rate: float) -> Iterator[Arrival]:
        rng = self._rng
        moment = begin + rng.expovariate(rate)
        while moment < until:
            group = rng.choices(self._groups, cum_weights=self._shares)[0]
            refused = BAD_KEY if rng.random() < BAD_KEYS else None
            yield Arrival(moment, group.name, self._only or group.caller(rng), refused)
            moment += rng.expovariate(rate)

    def _extra(self, until: float) -> Iterator[Arrival]:
        for load, stream in self._loads:
            while stream.moment < min(until, self._zero + load.end) and not 0 < load.most <= stream.count:
                whose = caller(load.callers[stream.count % len(load.callers)])
                yield Arrival(stream.moment, load.group, whose, load.refused)
                stream.count += 1
                stream.moment += self._rng.expovariate(load.per_minute / 60)
