"""One caller's problem or an outage: seeded traffic on a deployment, judged after each failed call."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

import pytest

from alertworker.outages.callers import KeyRow, fails_elsewhere, suspect
from alertworker.outages.policy import OutagePolicy
from alertworker.outages.sparse import judge_any
from alertworker.outages.verdict import is_dead
from alertworker.outages.windows import KEY_GROUPS, Bucket, bucket_of, group_of

LIMITS: Final = OutagePolicy().deployment
MINUTES: Final = 15
#: The key that most cases are about, and 30 others.
OWN: Final = "own"
OTHERS: Final = tuple(f"k{number}" for number in range(30))
PLACES: Final = {"d1": "eastus", "d2": "westeurope", "d3": "japaneast"}


@dataclass
class World:
    """Sums as the store has them, and what was found: "outage", or "caller" until an outage is found."""

    found: str = ""
    sums: dict[tuple[int, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    last: dict[tuple[int, str, bool], int] = field(default_factory=dict)
    groups: dict[tuple[int, str], Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def call(self, second: float, key: str, deployment: str, *, fails: bool) -> None:
        place = (bucket_of(second), deployment)
        self.sums[place][key if fails else ""] += 1
        self.last[*place, fails] = int(second * 1_000)
        self.groups[place][group_of(key)] += not fails
        if fails and self.found != "outage":
            self.judge(deployment)

    def buckets(self) -> list[Bucket]:
        return [
            Bucket(
                start,
                name,
                counts[""],
                {"503": failed} if (failed := counts.total() - counts[""]) else {},
                self.last.get((start, name, False), 0),
                self.last.get((start, name, True), 0),
                "azure",
                PLACES[name],
                "m",
                by_group=tuple(self.groups[start, name][group] for group in range(KEY_GROUPS)),
            )
            for (start, name), counts in self.sums.items()
        ]

    def rows(self) -> list[KeyRow]:
        return [
            KeyRow(start, name, key, "m", count)
            for (start, name), counts in self.sums.items()
            for key, count in counts.items()
            if key
        ]

    def judge(self, deployment: str) -> None:
        """Do what `pipeline.outages` and `pipeline.callers` do for a deployment."""
        all_buckets, all_rows = self.buckets(), self.rows()
        buckets = [one for one in all_buckets if one.deployment_id == deployment]
        verdict = is_dead(buckets, LIMITS) or judge_any(buckets, LIMITS)
        if not verdict.crossed:
            return
        one = suspect(verdict, buckets, [row for row in all_rows if row.deployment_id == deployment], LIMITS)
        explained = one is not None and one.stands_out
        if one is not None and not explained:
            own = [row for row in all_rows if row.key_hash == one.key_hash]
            explained = fails_elsewhere(one, all_buckets, own, LIMITS.tolerated)
        self.found = "caller" if explained else "outage"


def play(rng: Random, rates: Mapping[str, float], fails: Callable[[str, str], float]) -> str:
    """Return what is found in 15 minutes. ``rates`` are calls a minute by key.

    ``fails`` is the probability with which a call of a key fails on a deployment. All deployments get as many calls.
    """
    world = World()
    keys = sorted(rates)
    second = 0.0
    while (second := second + rng.expovariate(sum(rates.values()) / 60)) < MINUTES * 60:
        key = rng.choices(keys, [rates[one] for one in keys])[0]
        deployment = rng.choice(sorted(PLACES))
        stray = 0.002
        world.call(second, key, deployment, fails=rng.random() < max(stray, fails(key, deployment)))
    return world.found


SEEDS: Final = pytest.mark.parametrize("seed", range(3))


@SEEDS
@pytest.mark.parametrize(("rate", "share"), [(2.0, 0.3), (2.0, 0.6), (2.0, 1.0), (1.0, 1.0)])
def test_a_callers_poison_prompts_are_no_outage(seed: int, rate: float, share: float) -> None:
    """They fail on each deployment, and all other calls work."""
    rates = dict.fromkeys(OTHERS, rate) | {OWN: 12.0}
    expected = {"caller"} if share > 0.5 else {"caller", ""}
    assert play(Random(seed), rates, lambda key, _: share * (key == OWN)) in expected


@SEEDS
def test_a_dead_deployment_that_one_rare_key_hits_is_an_outage(seed: int) -> None:
    """The others do not call it now. The key's calls succeed elsewhere."""
    rates = {OWN: 3.0} | dict.fromkeys(OTHERS[:3], 0.0001)
    assert play(Random(seed), rates, lambda _, name: float(name == "d1")) == "outage"


@SEEDS
@pytest.mark.parametrize("part", [0.45, 0.7, 0.9])
@pytest.mark.parametrize("share", [0.15, 0.3])
def test_a_brownout_with_a_dominant_key_is_an_outage(seed: int, part: float, share: float) -> None:
    """It makes most calls of the moment, whatever it did before."""
    rates = dict.fromkeys(OTHERS, 60 * (1 - part) / 30) | {OWN: 60 * part}
    assert play(Random(seed), rates, lambda _, name: share * (name == "d1")) == "outage"


@SEEDS
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_two_failing_callers_are_an_outage(seed: int, share: float) -> None:
    """They have the deployment in common."""
    rates = dict.fromkeys(OTHERS, 0.5) | {OWN: 6.0, "second": 6.0}
    bad = {OWN, "second"}
    assert play(Random(seed), rates, lambda key, name: share * (key in bad and name == "d1")) == "outage"


@SEEDS
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_outage_of_a_company_with_a_single_key_is_one(seed: int, share: float) -> None:
    """There are no other keys to compare with."""
    assert play(Random(seed), {OWN: 20.0}, lambda _, name: share * (name == "d1")) == "outage"


@SEEDS
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_new_key_does_not_hide_an_outage(seed: int, share: float) -> None:
    """It was never used before, and makes half of the calls from now on."""
    rates = dict.fromkeys(OTHERS, 1.0) | {OWN: 30.0}
    assert play(Random(seed), rates, lambda _, name: share * (name == "d1")) == "outage"


@SEEDS
def test_a_new_keys_poison_prompts_are_no_outage(seed: int) -> None:
    """It is used for the first time, and all of its calls fail."""
    rates = dict.fromkeys(OTHERS, 1.0) | {OWN: 9.0}
    assert play(Random(seed), rates, lambda key, _: float(key == OWN)) == "caller"
