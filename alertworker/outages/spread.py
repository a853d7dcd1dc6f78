"""Whether enough deployments of a region, a provider or a model fail, and not just one. Pure.

A region may have thousands of deployments, and a window thousands of stretches. So a stretch is judged while it grows:
each deployment's calls of a bucket are added once for each first bucket, not once for each stretch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from alertworker.outages.evidence import evidence, is_evident
from alertworker.outages.policy import Limits
from alertworker.outages.windows import Bucket, calls_before

#: The minimum number of failed calls of a deployment that counts as failing in its region.
FAILING: Final = 2
#: The evidence, in nats, from which on a deployment counts as failing in its model. Chance reaches it once in 600
#: times.
_LIKELY: Final = 6.4


class _Addition(NamedTuple):
    """One deployment's calls in one bucket. ``before`` succeeded before its first failure there."""

    deployment: str
    failed: int
    calls: int
    before: int


class Spread:
    """The deployments of a region, provider or model, by bucket. Buckets are named by their places in ``starts``."""

    def __init__(self, starts: Sequence[int], rows: Sequence[Bucket], limits: Limits) -> None:
        self._limits, self._least = limits, FAILING if limits.share else 1
        failed = Counter[str]()
        models: dict[str, str] = {}
        for row in rows:
            failed[row.deployment_id] += row.failed
            models[row.deployment_id] = max(models.get(row.deployment_id, ""), row.model)
        #: A deployment of an unknown model is a model of its own.
        self._models = {name: model or name for name, model in models.items()}
        self._regions = {row.deployment_id: row.region for row in sorted(rows, key=lambda row: row.region)}
        may_fail = {name for name, count in failed.items() if count >= self._least}
        self._is_possible = len(may_fail) >= limits.deployments
        # Of a model, deployments that answer count, too.
        self._added = _additions(starts, [row for row in rows if limits.most or row.deployment_id in may_fail])

    def may_be_spread(self, first: int, last: int) -> bool:
        """Return whether a stretch, or a shorter one from the same bucket, may be spread by its failures alone."""
        failed, most = Counter[str](), dict[str, int]()
        for place in range(first, last + 1) if self._is_possible else ():
            for added in self._added[place]:
                failed[added.deployment] += added.failed
        failing = [(name, count) for name, count in failed.items() if count >= self._least]
        for name, count in failing:
            most[self._models[name]] = max(most.get(self._models[name], 0), count)
        limits = self._limits
        return len(failing) >= limits.deployments and not (limits.share and sum(most.values()) < limits.minor)

    def last_spread(self, first: int, lasts: Sequence[int]) -> int | None:
        """Return the last bucket of the longest stretch from ``first`` that is spread, ``None`` if none is.

        ``lasts`` are the possible last buckets, in order.
        """
        stretch = _Stretch(self._limits, self._least, self._models, self._regions)
        found, begin = None, first
        for last in lasts:
            for place in range(begin, last + 1):
                for added in self._added[place]:
                    stretch.add(added, is_first=place == first)
            begin = last + 1
            if stretch.is_spread():
                found = last
        return found


class _Stretch:
    """The deployments of a stretch that grows bucket by bucket.

    A call that is retried fails on several deployments of its model. So of each model only the deployment with the most
    failed calls counts as evidence.
    """

    def __init__(self, limits: Limits, least: int, models: Mapping[str, str], regions: Mapping[str, str]) -> None:
        self._limits, self._least, self._models, self._regions = limits, least, models, regions
        #: Each deployment's numbers of failed calls, of calls from the first failure on, and of all calls.
        self._sums: dict[str, tuple[int, int, int]] = {}
        self._failing: dict[str, tuple[int, int]] = {}
        #: How many deployments fail, by model and by region.
        self._failing_models, self._failing_regions = Counter[str](), Counter[str]()
        self._answering: set[str] = set()
        #: By model: a heap of failing deployments, the worst first. `_worst_of` drops outdated entries.
        self._ranked: dict[str, list[tuple[int, int, str]]] = {}
        self._worst: dict[str, tuple[int, int]] = {}
        self._changed: set[str] = set()
        self._failed = self._calls = 0

    def add(self, added: _Addition, *, is_first: bool) -> None:
        """Add a deployment's calls of the next bucket. In the first, calls before its first failure do not count."""
        name = added.deployment
        failed, calls, every = self._sums.get(name, (0, 0, 0))
        failed, every = failed + added.failed, every + added.calls
        calls += added.calls - (added.before if is_first else 0)
        self._sums[name] = failed, calls, every
        fails = self._fails(failed, calls)
        change = fails - (name in self._failing)
        self._failing_models[self._models[name]] += change
        self._failing_regions[self._regions[name]] += change
        if fails:
            self._failing[name] = failed, calls
            self._answering.discard(name)
            heappush(self._ranked.setdefault(self._models[name], []), (-failed, -calls, name))
        else:
            self._failing.pop(name, None)
            if every > failed:
                self._answering.add(name)
        self._changed.add(self._models[name])

    def is_spread(self) -> bool:
        """Return whether enough deployments fail: of a model or provider most of them. Different calls prove it."""
        limits, failing = self._limits, len(self._failing)
        if limits.most and failing <= limits.answering + len(self._answering):
            return False
        if limits.across and not self._is_across():
            return False
        if failing < limits.deployments or not limits.share:
            return failing >= limits.deployments
        self._add_up()
        failed, calls = self._failed, self._calls
        return failed >= limits.minor and calls >= limits.traffic and is_evident(failed, calls, limits.tolerated)

    def _is_across(self) -> bool:
        """Return whether several models fail, in several regions. Else the outage is that of a model or of a region."""
        regions = +self._failing_regions
        return len(+self._failing_models) != 1 and (len(regions) != 1 or "" in regions)

    def _fails(self, failed: int, calls: int) -> bool:
        """Return whether one of several deployments fails. If most of a model do, chance must be unlikely for each."""
        limits = self._limits
        if failed < self._least or failed < limits.share * calls:
            return False
        return not limits.most or evidence(failed, calls, limits.tolerated) >= _LIKELY

    def _add_up(self) -> None:
        """Add up the worst deployment of each model. Only models with new calls may have another one."""
        for model in self._changed:
            old, new = self._worst.get(model, (0, 0)), self._worst_of(model)
            self._worst[model] = new
            self._failed += new[0] - old[0]
            self._calls += new[1] - old[1]
        self._changed.clear()

    def _worst_of(self, model: str) -> tuple[int, int]:
        ranked = self._ranked.get(model, [])
        while ranked:
            failed, calls, name = ranked[0]
            if self._failing.get(name) == (-failed, -calls):
                return -failed, -calls
            heappop(ranked)
        return 0, 0


def _additions(starts: Sequence[int], rows: Iterable[Bucket]) -> list[list[_Addition]]:
    """Return each deployment's calls by the place of their bucket."""
    own: dict[tuple[int, str], list[Bucket]] = {}
    for row in rows:
        own.setdefault((row.start, row.deployment_id), []).append(row)
    places = {start: place for place, start in enumerate(starts)}
    found: list[list[_Addition]] = [[] for _ in starts]
    for (start, name), same in own.items():
        failed = sum(row.failed for row in same)
        calls = failed + sum(row.succeeded for row in same)
        found[places[start]].append(_Addition(name, failed, calls, calls_before(same)))
    return found
