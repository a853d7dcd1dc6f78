"""Outages, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from alertworker.outages.windows import Bucket, Calls, Outage, Target


class OutagePort(Protocol):
    """Windows of attempts, and the state of each deployment and region."""

    def lock_outages(self, targets: Iterable[Target]) -> dict[Target, Outage]:
        """Give how deployments and regions stand, locked, and new ones with them."""
        ...

    def open_outages(self) -> dict[Target, Outage]:
        """Give those that have an outage, locked; what another worker has is left to it."""
        ...

    def keep_outages(self, standings: Mapping[Target, Outage]) -> None:
        """Keep how deployments and regions stand."""
        ...

    def attempts(self, target: Target, *, start: int, end: int | None = None) -> list[Bucket]:
        """Give a target's buckets from one epoch second until before another."""
        ...

    def attempts_of(self, starts: Mapping[Target, int], *, end: int | None = None) -> dict[Target, list[Bucket]]:
        """Return each target's buckets from its own epoch second on, by as many statements for many as for one."""
        ...

    def calls_failed_by(self, target: Target, *, start: int) -> Calls:
        """Give how calls ended from an epoch second on that a target had failed."""
        ...
