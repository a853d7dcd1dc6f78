"""Healthy days through the functions that judge, without the pipeline: `python -m bench.simulate.healthy`.

Buckets of attempts are made as healthy days have them, and judged as a batch with each failure would be: those of
deployments, regions and model groups. Every outage found is false. `JUDGES` says by which limits.

Credentials and callers are not judged: on a healthy day no provider refuses a credential, and a caller's problem needs
an outage of a deployment or region first.
"""

from __future__ import annotations

import argparse
import math
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from random import Random
from typing import Final

from rich.console import Console
from rich.table import Table

from alertworker.outages.grade import grade
from alertworker.outages.model import judge_model
from alertworker.outages.policy import Limits, OutagePolicy
from alertworker.outages.sparse import SPARSE_SECONDS, judge_any
from alertworker.outages.verdict import WindowVerdict, is_dead
from alertworker.outages.windows import WINDOW_SECONDS, Bucket
from bench.simulate.calls import BROKEN_STREAMS, PROVIDER_ERRORS
from bench.simulate.faults import DAY
from bench.simulate.router import COOLDOWN
from bench.simulate.world import Deployment, World, make_world

#: Bursts of 429 that a deployment has in a day, as in `simulation`, and which part of the attempts they hit.
_BURSTS: Final = 2.0
_BURST_SECONDS: Final = (10.0, 40.0)
_BURST_SHARE: Final = (0.2, 0.6)
#: Failures within so many seconds belong to one outage.
_SAME: Final = 900
#: How many seconds are judged at once if no outage is found.
_BLOCK: Final = 1_800
#: The number of calls from which on a run of failures is too long to be an outage.
_EXPECTED: Final = 200
_CAUSES: Final = ("500", "503", "timeout", "connection")
_POLICY: Final = OutagePolicy()


#: The limits by which deployments and regions are judged.
JUDGES: Final[Mapping[str, OutagePolicy]] = {
    #: LiteLLM's: the counts alone. They know no models.
    "counts": replace(
        _POLICY, deployment=replace(_POLICY.deployment, share=0.0), region=replace(_POLICY.region, share=0.0)
    ),
    "evidence": _POLICY,
}


@dataclass(slots=True)
class Attempts:
    """One deployment's attempts on one day: failures by bucket, and successes on request."""

    deployment_id: str
    rate: float
    rng: Random
    model: str = ""
    failures: dict[int, Counter[str]] = field(default_factory=dict)
    succeeded: dict[int, int] = field(default_factory=dict)

    def bucket(self, start: int) -> Bucket:
        """Return a bucket; its successes are drawn when it is asked for first."""
        if start not in self.succeeded:
            self.succeeded[start] = _poisson(self.rng, self.rate * WINDOW_SECONDS)
        count, failed = self.succeeded[start], self.failures.get(start, Counter[str]())
        last = start * 1_000
        return Bucket(
            start,
            self.deployment_id,
            count,
            failed,
            last_success=last if count else 0,
            last_failure=last if failed else 0,
            model=self.model,
        )

    def add(self, moment: float, cause: str) -> None:
        """Count a failure."""
        self.failures.setdefault(int(moment // WINDOW_SECONDS) * WINDOW_SECONDS, Counter())[cause] += 1


def day_of(world: World, rate: float, rng: Random) -> dict[str, Attempts]:
    """Return a healthy day at a rate of calls per second."""
    attempts = {}
    for group in world.groups.values():
        weight = sum(one.weight for one in group.deployments)
        for one in group.deployments:
            own = Attempts(one.id, rate * group.share * one.weight / weight, rng, one.group)
            for moment in _moments(rng, own.rate * (PROVIDER_ERRORS + BROKEN_STREAMS)):
                own.add(moment, rng.choice(_CAUSES))
            for begin in _moments(rng, _BURSTS / DAY):
                _burst(own, begin, only=len(group.deployments) == 1)
            attempts[one.id] = own
    return attempts


def false_outages(judge_name: str, rate: float, days: int, seed: int) -> tuple[Counter[str], int]:
    """Return how many outages are found on healthy days, and how many calls these had."""
    policy = JUDGES[judge_name]
    world, found = make_world(), Counter[str]()
    rng = Random(f"{seed} {rate}")
    for _ in range(days):
        attempts = day_of(world, rate, rng)
        for own in attempts.values():
            found["deployment"] += outages_of([own], policy.deployment)
        for members in _regions(world.deployments.values()):
            found["region"] += outages_of([attempts[one] for one in members], policy.region)
        for group in world.groups.values():
            if policy.model.share and len(group.deployments) > 1:
                found["model"] += outages_of([attempts[one.id] for one in group.deployments], policy.model)
    return found, round(rate * DAY * days)


def outages_of(members: Sequence[Attempts], limits: Limits) -> int:
    """Return how many outages a target has: judge around each bucket with a failure.

    A block without any stretch that is an outage is judged once: the windows of its failures are parts of it. It is not
    judged at all if its failures are far apart.
    """
    found, last = 0, -math.inf
    dense = _dense(members, limits)
    reach = _reach(limits)
    failing = sorted({start for one in members for start in one.failures})
    for _, block in groupby(failing, key=lambda start: start // _BLOCK):
        starts = list(block)
        near = bisect_left(dense, starts[0] - reach)
        if near == len(dense) or dense[near] > starts[-1] + reach:
            continue
        if not _judge(members, starts[0], starts[-1], limits).crossed:
            continue
        for start in starts:
            if _is_false(members, start, limits):
                found += start - last > _SAME
                last = start
    return found


def _dense(members: Sequence[Attempts], limits: Limits) -> list[int]:
    """Return where as many failures as an outage needs begin among so few calls that their share may suffice.

    An outage's failures can be cut into runs of 5 to 9. One of these has at least the outage's share, so there are at
    most 90 calls in it, at 10 %. Where 200 are expected, there are never that few.
    """
    times = sorted(start for one in members for start, causes in one.failures.items() for _ in range(causes.total()))
    rate = sum(one.rate for one in members) if limits.share else 0.0
    spans = zip(times, times[limits.minor - 1 :], strict=False)
    return [first for first, last in spans if rate * (last - first) < _EXPECTED]


def _judge(members: Sequence[Attempts], first: int, last: int, limits: Limits) -> WindowVerdict:
    reach = _reach(limits)
    around = range(first - reach, last + reach, WINDOW_SECONDS)
    buckets = [one.bucket(at) for at in around for one in members]
    verdict = judge_any(buckets, limits)
    if verdict.crossed or not limits.share:
        return verdict
    return is_dead(buckets, limits) or verdict


def _is_false(members: Sequence[Attempts], start: int, limits: Limits) -> bool:
    """Return whether an outage is found when the calls of a bucket have failed."""
    verdict = _judge(members, start, start, limits)
    if grade(verdict, 0, limits) is None:
        return False
    if not limits.most or verdict.is_dead:
        return True
    # A deployment of a model that answers by then has recovered. A deployment that answers later has not recovered yet.
    around = range(start - limits.reach, start + WINDOW_SECONDS, WINDOW_SECONDS)
    return bool(judge_model([one.bucket(at) for at in around for one in members], (), limits).crossed)


def _reach(limits: Limits) -> int:
    """Return how far failures count together, in seconds."""
    return max(limits.reach, SPARSE_SECONDS) if limits.share and limits.deployments == 1 else limits.reach


def _burst(own: Attempts, begin: float, *, only: bool) -> None:
    """Add a burst of 429; each of them stops the attempts for a cooldown, unless the deployment is the only one."""
    end, share = begin + own.rng.uniform(*_BURST_SECONDS), own.rng.uniform(*_BURST_SHARE)
    moment = begin + own.rng.expovariate(own.rate * share)
    while moment < end:
        own.add(moment, "429")
        moment += own.rng.expovariate(own.rate * share) + (0.0 if only else COOLDOWN)


def _regions(deployments: Iterable[Deployment]) -> Iterable[list[str]]:
    regions: dict[tuple[str, str], list[str]] = {}
    for one in deployments:
        if one.region is not None:
            regions.setdefault((one.provider, one.region), []).append(one.id)
    return regions.values()


def _moments(rng: Random, rate: float) -> Iterator[float]:
    moment = rng.expovariate(rate)
    while moment < DAY:
        yield moment
        moment += rng.expovariate(rate)


def _poisson(rng: Random, mean: float) -> int:
    """Return a Poisson number; from 50 on by the normal distribution."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def main(arguments: Sequence[str]) -> int:
    """Print the table. Return 1 if an outage was found."""
    parser = argparse.ArgumentParser("python -m bench.simulate.healthy", description=__doc__)
    parser.add_argument("--judge", choices=list(JUDGES), default=list(JUDGES)[-1])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rates", default="0.5,2,5,10,25,50", help="calls per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    rates = [float(rate) for rate in options.rates.split(",")]
    table = Table("calls/s", "calls", "false outages of deployments", "of regions", "of models", "a day", box=None)
    one = partial(_row, options.judge, options.days, options.seed)
    with ProcessPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(one, rates))
    for rate, (found, calls) in zip(rates, rows, strict=True):
        a_day = found.total() / options.days
        table.add_row(
            f"{rate:g}",
            f"{calls:,}",
            str(found["deployment"]),
            str(found["region"]),
            str(found["model"]),
            f"{a_day:.1f}",
        )
    Console(width=110).print(table)
    return int(any(found.total() for found, _ in rows))


def _row(judge_name: str, days: int, seed: int, rate: float) -> tuple[Counter[str], int]:
    return false_outages(judge_name, rate, days, seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
