"""The calls: their callers, the router's attempts, and the events that the callback publishes."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from alertworker.events import Origin
from bench.simulate import faults
from bench.simulate.arrivals import Arrivals
from bench.simulate.faults import After, Error, Fault
from bench.simulate.proxies import Process, Proxies
from bench.simulate.router import COOLDOWN, RETRIES, Router
from bench.simulate.wire import Call, Wire
from bench.simulate.world import FALLBACKS, Caller, Deployment, World

#: The faults of a healthy day, as shares of all attempts: a provider's errors, a stream that breaks off, a caller's
#: mistake, and a client that disconnects.
PROVIDER_ERRORS: Final = 0.002
BROKEN_STREAMS: Final = 0.000_2
MISTAKES: Final = 0.005
DISCONNECTS: Final = 0.005
_TROUBLE: Final = PROVIDER_ERRORS + BROKEN_STREAMS + MISTAKES + DISCONNECTS
_STRAY: Final = (faults.SERVER_ERROR, faults.UNAVAILABLE, faults.TIMEOUT, faults.CONNECTION)
_STRAY_WEIGHTS: Final = (50, 70, 85, 100)
#: Latencies are lognormal: the median in seconds and the spread of the logarithm.
_MEDIAN, _SPREAD, _SLOWEST = 0.2, 0.7, 60.0
#: How long before a retry, and from which age on a call is announced, both in seconds; the latter is the default.
_PAUSE: Final = 0.2
THRESHOLD: Final = 300.0
#: How long after a failed attempt the callback asks for cooldowns, in seconds.
_WATCH: Final = 1.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The proxy's configuration, and its callers.

    ``only_caller`` makes all calls. From the end of the warm-up on, the group ``unpriced`` has no price, and the
    deployment ``joins`` takes calls. ``shares`` are groups' parts of all calls, where they are not the world's.
    """

    retries: int = RETRIES
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: FALLBACKS)
    cooldown: float = COOLDOWN
    only_caller: int | None = None
    unpriced: str | None = None
    joins: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Truth:
    """The ground truth since the warm-up: when calls failed on deployments, and which calls were lost."""

    calls: int = 0
    #: By deployment, when its first failure of each call was sent: at once, unless the host is cut off.
    failures: dict[str, list[float]] = field(default_factory=dict)
    #: When a call was lost, by the group that was asked for and the key.
    lost: list[tuple[float, str, str]] = field(default_factory=list)
    #: When a call was hung for longer than the threshold.
    hung: list[float] = field(default_factory=list)
    cooldowns: int = 0


class Calls:
    """Makes calls, and follows each to its end, attempts in the order of time."""

    def __init__(
        self,
        world: World,
        happenings: Sequence[object],
        proxies: Proxies,
        wire: Wire,
        behaviour: Behaviour,
        rng: Random,
        *,
        zero: float,
    ) -> None:
        self._world, self._proxies, self._wire, self._rng = world, proxies, wire, rng
        self._behaviour, self._zero = behaviour, zero
        self._publish = proxies.publish
        self._router = Router(world, cooldown=behaviour.cooldown)
        if behaviour.joins is not None:
            self._router.leave_out(behaviour.joins, until=zero)
        self._faults = [one for one in happenings if isinstance(one, Fault)]
        self._active: list[Fault] = []
        self._arrivals = Arrivals(
            world, happenings, rng, zero=zero, only=behaviour.only_caller, shares=behaviour.shares
        )
        self._counts: dict[int, int] = {}
        self._waiting: list[tuple[float, int, Call, Process, Deployment, Error]] = []
        self._number = 0
        self.truth = Truth()

    def advance(self, begin: float, until: float, rate: float) -> None:
        """Make the calls of a step at a rate per second, and continue those that wait."""
        self._active = [one for one in self._faults if one.start < until - self._zero and one.end > begin - self._zero]
        for arrival in self._arrivals.calls(begin, until, rate):
            self._go_on(arrival.moment)
            self._arrive(*arrival)
        self._go_on(until)
        for moment, deployment, error in self._arrivals.checks(until):
            process = self._proxies.living[0]
            self._publish(process, moment, self._wire.health_check(deployment, error, moment + process.ahead))

    def _arrive(self, moment: float, group: str, whose: Caller, refused: Error | None) -> None:
        self._number += 1
        process = self._proxies.choose(self._rng)
        if moment >= self._zero:
            self.truth.calls += 1
        if refused is not None:
            unknown = refused is faults.BAD_KEY
            call = Call(f"call-{self._number}", None if unknown else whose, group, moment + process.ahead, asked=group)
            self._emit_failed(process, call, refused, moment)
            return
        call = Call(
            f"call-{self._number}",
            whose,
            group,
            moment + process.ahead,
            stream=self._number % 5 < 3,
            retries_left=self._behaviour.retries,
            fallbacks=list(self._behaviour.fallbacks.get(group, ())),
            asked=group,
        )
        self._attempt(call, process, moment)

    def _attempt(self, call: Call, process: Process, moment: float) -> None:
        deployment = self._router.choose(call.group, moment, self._rng)
        if deployment is None:
            self._fall_back(call, process, faults.NO_DEPLOYMENTS, moment)
            return
        call.deployment = deployment
        call.attempts += 1
        call.tried = moment + process.ahead
        fault = self._fault(call, deployment, moment) if self._active else None
        if fault is not None and fault.hang:
            self._hang(call, process, deployment, fault, moment)
            return
        error = fault.error if fault is not None else None
        if error is None:
            luck = self._rng.random()
            if luck >= _TROUBLE:
                self._answer(call, process, deployment, moment + self._latency())
                return
            if luck < DISCONNECTS:
                self._abandon(call, process, moment + self._latency())
                return
            error = self._stray(luck - DISCONNECTS)
        self._wait(moment + error.seconds * self._rng.uniform(0.8, 1.2), call, process, deployment, error)

    def _stray(self, luck: float) -> Error:
        if luck < MISTAKES:
            return faults.BAD_REQUEST
        if luck < MISTAKES + BROKEN_STREAMS:
            return faults.BROKEN_STREAM
        return self._rng.choices(_STRAY, cum_weights=_STRAY_WEIGHTS)[0]

    def _fault(self, call: Call, deployment: Deployment, moment: float) -> Fault | None:
        alias = call.caller.key_alias if call.caller is not None else ""
        for one in self._active:
            if (one.deployments and deployment.id not in one.deployments) or (one.callers and alias not in one.callers):
                continue
            share = one.share_at(moment - self._zero)
            if share and (share >= 1 or self._rng.random() < share) and self._is_left(one):
                return one
        return None

    def _is_left(self, fault: Fault) -> bool:
        """Count an attempt that fails by a fault with a maximum."""
        if not fault.most:
            return True
        count = self._counts.get(id(fault), 0)
        self._counts[id(fault)] = count + 1
        return count < fault.most

    def _wait(self, moment: float, call: Call, process: Process, deployment: Deployment, error: Error) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (moment, self._number, call, process, deployment, error))

    def _go_on(self, until: float) -> None:
        while self._waiting and self._waiting[0][0] < until:
            moment, _, call, process, deployment, error = heapq.heappop(self._waiting)
            if process.died is None or moment <= process.died:
                self._attempt_failed(call, process, deployment, error, moment)

    def _attempt_failed(
        self, call: Call, process: Process, deployment: Deployment, error: Error, moment: float
    ) -> None:
        clock = moment + process.ahead
        self._publish(process, moment, self._wire.attempt_failed(call, deployment, error, clock))
        if error.origin is Origin.PROVIDER:
            if deployment.id not in call.failed_on and moment >= self._zero:
                self.truth.failures.setdefault(deployment.id, []).append(self._proxies.sent_at(process, moment))
            call.failed_on[deployment.id] = deployment
            seconds = self._router.failed(deployment, error, moment) if error is not faults.BROKEN_STREAM else 0.0
            if seconds:
                self.truth.cooldowns += 1
                self._publish(process, moment + _WATCH, self._wire.cooled_down(call, deployment, error, clock, seconds))
        if not error.retried:
            self._emit_failed(process, call, error, moment)
        elif call.retries_left and self._has_other(call, error):
            call.retries_left -= 1
            self._attempt(call, process, moment + _PAUSE)
        else:
            self._fall_back(call, process, error, moment)

    def _has_other(self, call: Call, error: Error) -> bool:
        """Return whether a retry makes sense to LiteLLM: a refused credential is tried elsewhere or not at all."""
        return error.status not in {401, 404} or len(self._world.groups[call.group].deployments) > 1

    def _fall_back(self, call: Call, process: Process, error: Error, moment: float) -> None:
        if not call.fallbacks:
            self._emit_failed(process, call, error, moment)
            return
        call.group = call.fallbacks.pop(0)
        call.depth += 1
        call.retries_left = self._behaviour.retries
        self._attempt(call, process, moment + _PAUSE)

    def _hang(self, call: Call, process: Process, deployment: Deployment, fault: Fault, moment: float) -> None:
        ends = moment + fault.hang * self._rng.uniform(0.9, 1.1)
        began = moment + (2.0 if fault.chunks else 0.0)
        announced_at = began + THRESHOLD
        while announced_at < ends:
            clocks = (announced_at + process.ahead, began + process.ahead)
            self._publish(process, announced_at, self._wire.announced(call, *clocks, fault.chunks, process.boot_id))
            call.announced = True
            announced_at += THRESHOLD
        if call.announced:
            self.truth.hung.append(moment - self._zero)
        if fault.after is After.ANSWERED:
            self._answer(call, process, deployment, ends)
        elif fault.after is After.ABANDONED:
            self._abandon(call, process, ends, fault.chunks)
        else:
            self._wait(ends, call, process, deployment, fault.error)

    def _answer(self, call: Call, process: Process, deployment: Deployment, moment: float) -> None:
        cost = None if call.group == self._behaviour.unpriced and moment >= self._zero else 13_500
        event = self._wire.succeeded(call, deployment, moment + process.ahead, cost=cost)
        self._publish(process, moment, event)

    def _abandon(self, call: Call, process: Process, moment: float, chunks: int = 3) -> None:
        self._publish(process, moment, self._wire.abandoned(call, moment + process.ahead, chunks))

    def _emit_failed(self, process: Process, call: Call, error: Error, moment: float) -> None:
        if moment >= self._zero and error.origin is not Origin.CALLER:
            alias = call.caller.key_alias if call.caller is not None else ""
            self.truth.lost.append((moment - self._zero, call.asked, alias))
        self._publish(process, moment, self._wire.failed(call, error, moment + process.ahead))

    def _latency(self) -> float:
        return min(_SLOWEST, self._rng.lognormvariate(_MEDIAN, _SPREAD))
