"""Outages of model groups, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from alertworker.outages.model import EndedCalls
from alertworker.outages.windows import Bucket, Outage


class ModelOutagePort(Protocol):
    """The outage state of each model group, and the windows of all its deployments."""

    def lock_models(self, models: Iterable[str]) -> dict[str, Outage]:
        """Return the states of model groups, locked; new ones are inserted."""
        ...

    def open_models(self) -> dict[str, Outage]:
        """Return the model groups that have an outage, locked; those that another worker has locked are left out."""
        ...

    def keep_models(self, outages: Mapping[str, Outage]) -> None:
        """Store the states of model groups."""
        ...

    def model_buckets(self, starts: Mapping[str, int]) -> dict[str, list[Bucket]]:
        """Return the buckets of each model's deployments, from the model's own epoch second on."""
        ...

    def ended_calls(self, starts: Mapping[str, int]) -> dict[str, list[EndedCalls]]:
        """Return how calls for each model ended that its deployments failed, from the model's own epoch second on."""
        ...
