"""Outages, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from alertworker.outages.sums import OutageSums
from alertworker.outages.windows import Bucket, Calls, Outage, Target


class OutagePort(Protocol):
    """Windows of calls, and the outage state of each deployment, region and provider: each `Target`."""

    def add_sums(self, sums: OutageSums) -> None:
        """Add a batch's sums to the windows. The credentials that the batch changes or may judge are locked."""
        ...

    def lock_outages(self, targets: Iterable[Target]) -> dict[Target, Outage]:
        """Return the states of targets, locked; new ones are inserted."""
        ...

    def open_outages(self) -> dict[Target, Outage]:
        """Return the targets that have an outage, locked; those that another worker has locked are left out."""
        ...

    def outage_of(self, target: Target) -> Outage:
        """Return the state of one target without a lock, for messages."""
        ...

    def outages_over(self, deployments: Collection[str]) -> dict[str, int]:
        """Return the epoch second before which every outage of a deployment has ended, for those that had one."""
        ...

    def failing_regions(self, deployments: Collection[str], *, start: int) -> dict[Target, set[str]]:
        """Return the regions with an outage in which deployments had calls from the epoch second ``start`` on."""
        ...

    def failing(self, targets: Iterable[Target], *, start: int, least: int) -> set[Target]:
        """Return the targets that failed at least ``least`` calls from the epoch second ``start`` on."""
        ...

    def keep_outages(self, outages: Mapping[Target, Outage]) -> None:
        """Store the states of targets."""
        ...

    def buckets(self, target: Target, *, start: int, end: int | None = None) -> list[Bucket]:
        """Return a target's buckets from the epoch second ``start`` until before ``end``."""
        ...

    def buckets_of(self, starts: Mapping[Target, int], *, end: int | None = None) -> dict[Target, list[Bucket]]:
        """Return each target's buckets from its own epoch second on, by as many statements for many as for one."""
        ...

    def calls_failed_by(self, target: Target, *, start: int, end: int | None = None) -> Calls:
        """Return how calls ended that this target failed, from the epoch second ``start`` until before ``end``."""
        ...
