"""Publishers, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from alertworker.events import PublisherEvent


class Host(NamedTuple):
    """A host and the integration that publishes on it, "" for any other program."""

    name: str
    integration: str


@dataclass(frozen=True, slots=True)
class LostPublisher:
    """A publisher that stopped sending heartbeats without a clean shutdown.

    ``last_heartbeat_at`` is by its own clock, and ``arrived_at`` by ours. ``inflight`` is the number of calls that were
    running then, and ``calls`` the number of those that it had announced. ``call_names`` are some of the announced
    calls, each with its model.
    """

    boot_id: str
    host: Host
    pid: int
    last_heartbeat_at: datetime
    arrived_at: datetime
    inflight: int = 0
    calls: int = 0
    call_names: tuple[str, ...] = ()


class Lifetime(NamedTuple):
    """When a lost process started and sent its last heartbeat, by its own clock. An older version stored no start."""

    started_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class HostState:
    """The reports of all publishers of one host that are not lost.

    ``reported_at`` is when the last report of a running one arrived, and ``moved_at`` when one last published.
    ``started_at`` is the start of the youngest running one. ``stopped_at`` is the last clean shutdown.
    """

    reported_at: datetime | None = None
    moved_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host whose publishers are running and have published nothing since ``moved_at``."""

    host: str
    integration: str
    moved_at: datetime


class PublisherPort(Protocol):
    """The publishers' own reports, and the publishers that are lost or silent."""

    def update_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Store the newest report of each publisher. A late heartbeat does not undo a clean shutdown.

        A lost publisher that reports again is no longer lost.
        """
        ...

    def is_live(self, integration: str, *, since: datetime) -> bool:
        """Return whether a publisher of this integration is running and has reported since then."""
        ...

    def silent_hosts(
        self, *, reporting_since: datetime, quiet_since: datetime, limit: int, now: datetime
    ) -> list[SilentHost]:
        """Mark at most ``limit`` hosts that report and published nothing since ``quiet_since``, while another did.

        Only integrations whose publishers have no backlog count. A host is returned once, until it publishes.
        """
        ...

    def backlogged(self) -> bool:
        """Return whether a running publisher has events that it could not send yet."""
        ...

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, limit: int, now: datetime
    ) -> list[LostPublisher]:
        """Mark at most ``limit`` publishers lost whose last report arrived before ``silent_since``.

        Their announced calls end.
        """
        ...

    def lost_lifetimes(self, host: Host, *, since: datetime, limit: int) -> list[Lifetime]:
        """Return the lifetimes of the publishers that a host has lost since then, at most ``limit``, newest first."""
        ...

    def count_missing_hosts(self, *, since: datetime) -> int:
        """Return how many hosts lost a publisher since then and have no running one."""
        ...

    def living_hosts(self, integration: str, *, since: datetime) -> int:
        """Return the number of hosts with a running publisher of this integration that has reported since then."""
        ...

    def host_states(self, hosts: Iterable[Host]) -> dict[Host, HostState]:
        """Return what the publishers of these hosts report. A host without publishers is left out."""
        ...
