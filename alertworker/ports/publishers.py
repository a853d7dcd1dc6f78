"""Publishers, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.events import PublisherEvent


@dataclass(frozen=True, slots=True)
class LostPublisher:
    """A publisher that stopped sending heartbeats without a clean shutdown, and the number of its announced calls."""

    boot_id: str
    host: str
    pid: int
    last_heartbeat_at: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host whose publishers are running and have published nothing since ``moved_at``."""

    host: str
    integration: str
    moved_at: datetime


class PublisherPort(Protocol):
    """The publishers' own reports, and the publishers that are lost or silent."""

    def update_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Store the newest report of each publisher."""
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
