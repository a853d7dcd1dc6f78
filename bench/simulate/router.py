"""A router like LiteLLM's: a random healthy deployment, retries, fallbacks, and cooldowns by its rules."""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import Final

from bench.simulate.faults import Error
from bench.simulate.world import Deployment, World

#: LiteLLM's defaults: how long a cooldown is, in seconds, how often a failed attempt is retried.
COOLDOWN: Final = 5.0
RETRIES: Final = 2
#: A minute's requests from which on, and the part of failures above which, a deployment cools down.
_MINIMUM: Final = 5
_SHARE: Final = 0.5
#: A minute's failures from which on the only deployment of a group cools down, if all its requests failed.
_ONLY: Final = 1_000
#: Statuses that LiteLLM retries on the same deployment.
_TRANSIENT: Final = frozenset({408, 409, 429})


class Router:
    """The deployments that cool down, and the counts of the current minute that decide it."""

    def __init__(self, world: World, *, cooldown: float = COOLDOWN) -> None:
        self._cooldown = cooldown
        self._groups = {name: group.deployments for name, group in world.groups.items()}
        self._weights = {
            name: tuple(accumulate(one.weight for one in members)) for name, members in self._groups.items()
        }
        self._cooled: dict[str, float] = {}
        #: By deployment: the minute, its requests and its failures.
        self._minutes: dict[str, list[int]] = {}
        self._cooled_until = 0.0

    def leave_out(self, deployment_id: str, *, until: float) -> None:
        """Choose a deployment only from a moment on: it is new then."""
        self._cooled[deployment_id] = until
        self._cooled_until = until

    def choose(self, group: str, moment: float, rng: Random) -> Deployment | None:
        """Return a healthy deployment of a group; ``None`` where all cool down."""
        members = self._groups[group]
        if moment >= self._cooled_until:
            chosen = rng.choices(members, cum_weights=self._weights[group])[0] if len(members) > 1 else members[0]
        else:
            healthy = [one for one in members if self._cooled.get(one.id, 0.0) <= moment]
            if not healthy:
                return None
            chosen = rng.choices(healthy, weights=[one.weight for one in healthy])[0]
        self._minute(chosen.id, moment)[1] += 1
        return chosen

    def failed(self, deployment: Deployment, error: Error, moment: float) -> float:
        """Count a failed attempt; return for how many seconds the deployment cools down from now on, 0 for not."""
        counts = self._minute(deployment.id, moment)
        counts[2] += 1
        if not self._must_cool_down(deployment, error, counts[1], counts[2]):
            return 0.0
        if self._cooled.get(deployment.id, 0.0) > moment:
            return 0.0
        self._cooled[deployment.id] = moment + self._cooldown
        self._cooled_until = max(self._cooled_until, moment + self._cooldown)
        return self._cooldown

    def _must_cool_down(self, deployment: Deployment, error: Error, requests: int, failures: int) -> bool:
        only = len(self._groups[deployment.group]) == 1
        if 400 <= error.status < 500 and error.status not in {401, 404, 408, 429}:
            return False
        if error.status == 429 and not only:
            return True
        if failures >= max(requests, _ONLY):
            return True
        if requests >= _MINIMUM and failures > _SHARE * requests and not only:
            return True
        return error.status < 500 and error.status not in _TRANSIENT

    def _minute(self, deployment_id: str, moment: float) -> list[int]:
        minute = int(moment // 60)
        counts = self._minutes.get(deployment_id)
        if counts is None or counts[0] != minute:
            counts = self._minutes[deployment_id] = [minute, 0, 0]
        return counts
