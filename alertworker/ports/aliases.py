"""The names of the ledger's entities, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol


class AliasPort(Protocol):
    """Names of teams, keys, users, organizations and deployments; the one seen last is the current one."""

    def newest_names(self, entities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the current names of entities, by dimension and id; an entity without a name is left out."""
        ...

    def deployment_titles(self, deployments: Collection[str]) -> dict[str, str]:
        """Return what deployments are, by id: the model with provider and region, as far as they are known."""
        ...

    def ids_by_alias(self, dimension: str, names: Iterable[str]) -> dict[str, list[str]]:
        """Return, for each name, the ids that have it as their current one: a rotated key's old and new hash."""
        ...
