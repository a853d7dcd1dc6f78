"""The world: 30 deployments of 9 model groups, 5 providers with 8 regions, 40 teams with 300 keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from random import Random
from typing import Final

TEAMS: Final = 40
KEYS: Final = 300
#: The exponent of the Zipf distribution of calls over a group's keys.
ZIPF: Final = 1.1

#: Each group's share of all calls, and its deployments as provider, region and weight.
_GROUPS: Final[Mapping[str, tuple[float, tuple[tuple[str, str, int], ...]]]] = {
    "gpt-4o": (
        0.22,
        (
            ("azure", "eastus", 1),
            ("azure", "westeurope", 1),
            ("azure", "swedencentral", 1),
            ("azure", "japaneast", 1),
            ("openai", "", 1),
        ),
    ),
    "gpt-4o-mini": (
        0.30,
        (
            ("azure", "eastus", 1),
            ("azure", "eastus", 1),
            ("azure", "westeurope", 1),
            ("azure", "swedencentral", 1),
            ("azure", "japaneast", 1),
            ("openai", "", 1),
        ),
    ),
    "claude-sonnet": (
        0.18,
        (
            ("bedrock", "us-east-1", 1),
            ("bedrock", "us-east-1", 1),
            ("bedrock", "eu-west-1", 1),
            ("vertex_ai", "us-central1", 1),
            ("anthropic", "", 1),
        ),
    ),
    "claude-haiku": (
        0.08,
        (
            ("bedrock", "us-east-1", 1),
            ("bedrock", "eu-west-1", 1),
            ("vertex_ai", "europe-west4", 1),
            ("anthropic", "", 1),
        ),
    ),
    "gemini-pro": (
        0.05,
        (("vertex_ai", "us-central1", 1), ("vertex_ai", "europe-west4", 1), ("vertex_ai", "europe-west4", 1)),
    ),
    "gemini-flash": (
        0.05,
        (("vertex_ai", "us-central1", 1), ("vertex_ai", "us-central1", 1), ("vertex_ai", "europe-west4", 1)),
    ),
    "embedding": (0.08, (("azure", "westeurope", 1), ("openai", "", 1))),
    "llama-70b": (0.02, (("bedrock", "us-east-1", 1),)),
    "o3": (0.02, (("openai", "", 1),)),
}

#: Which groups answer for one whose deployments failed a call, in order; the others have none.
FALLBACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "gpt-4o": ("claude-sonnet",),
    "gpt-4o-mini": ("gemini-flash",),
    "claude-sonnet": ("gpt-4o",),
    "claude-haiku": ("gpt-4o-mini",),
    "gemini-pro": ("gpt-4o",),
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; ``credential`` names the provider's key that it uses, as the wire does: 12 hexadecimal digits."""

    id: str
    group: str
    model: str
    provider: str
    region: str | None
    api_base: str
    credential: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Caller:
    """A virtual key and its team."""

    key_hash: str
    key_alias: str
    team_id: str
    team_alias: str


@dataclass(frozen=True, slots=True)
class Group:
    """A model group: its deployments, its share of all calls, and its callers with their cumulative weights."""

    name: str
    share: float
    deployments: tuple[Deployment, ...]
    callers: tuple[Caller, ...]
    weights: tuple[float, ...]

    def caller(self, rng: Random) -> Caller:
        """Return the caller of one call."""
        return rng.choices(self.callers, cum_weights=self.weights)[0]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that does not change while a scenario runs."""

    groups: Mapping[str, Group]
    callers: tuple[Caller, ...]
    deployments: Mapping[str, Deployment] = field(default_factory=dict)

    def of(self, *, provider: str | None = None, region: str | None = None, group: str | None = None) -> frozenset[str]:
        """Return the ids of the deployments that have all of these."""
        return frozenset(
            one.id
            for one in self.deployments.values()
            if (provider is None or one.provider == provider)
            and (region is None or one.region == region)
            and (group is None or one.group == group)
        )

    def credential_of(self, provider: str, region: str = "") -> str:
        """Return the credential that a provider's deployments use, in one region where it has several."""
        return credential(provider, region)


def credential(provider: str, region: str) -> str:
    """Return the name of a key: Azure has one for each region, the others one for each region or account."""
    return sha256(f"sk-{provider}-{region}".encode()).hexdigest()[:12]


def caller(number: int) -> Caller:
    """Return a caller by its number; those from `KEYS` on belong to a scenario."""
    team = number % TEAMS
    key_hash = sha256(f"sk-virtual-{number}".encode()).hexdigest()
    return Caller(key_hash, f"key-{number:03d}", f"team-{team:02d}", f"Team {team:02d}")


@lru_cache(maxsize=1)
def make_world() -> World:
    """Return the world; it is the same for every seed."""
    rng = Random("world")
    callers = tuple(caller(number) for number in range(KEYS))
    weights = tuple(accumulate(1 / rank**ZIPF for rank in range(1, KEYS // 3 + 1)))
    groups: dict[str, Group] = {}
    for name, (share, places) in _GROUPS.items():
        chosen = tuple(rng.sample(callers, KEYS // 3))  # a key uses three of the nine groups
        groups[name] = Group(name, share, _deployments(name, places), chosen, weights)
    deployments = {one.id: one for group in groups.values() for one in group.deployments}
    return World(groups, callers, deployments)


def _deployments(group: str, places: tuple[tuple[str, str, int], ...]) -> tuple[Deployment, ...]:
    found: list[Deployment] = []
    for provider, region, weight in places:
        place = f"{provider}-{region}" if region else provider
        stem = f"{group}-{place}"
        number = sum(one.id.startswith(stem) for one in found)
        found.append(
            Deployment(
                id=f"{stem}-{number + 1}" if number else stem,
                group=group,
                model=f"{provider}/{group}",
                provider=provider,
                region=region or None,
                api_base=f"https://{place}.example.com/v1",
                credential=credential(provider, region),
                weight=weight,
            )
        )
    return tuple(found)
