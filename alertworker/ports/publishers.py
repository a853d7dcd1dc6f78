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
    heard_at: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host whose publishers are running and have published nothing since ``moved_at``."""

    host: str
    integration: str
    moved_at: datetime


class PublisherPort(Protocol):
    """The publishers' own reports, and the publishers that are lost or silent."""

    def hear_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Store what publishers report of themselves."""
        ...

    def is_live(self, integration: str, *, since: datetime) -> bool:
        """Return whether a publisher of this integration is running and has reported since then."""
        ...

    def silent_hosts(self, *, heard_since: datetime, quiet_since: datetime, now: datetime) -> list[SilentHost]:
        """Mark the hosts that are running and published nothing since ``quiet_since``, while another one never paused.

        Only integrations whose publishers have no backlog count. A host is returned once, until it publishes.
        """
        ...

    def backlogged(self) -> bool:
        """Return whether a publisher that lives has events that it could not send yet."""
        ...

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, now: datetime
    ) -> list[LostPublisher]:
        """Mark publishers lost that last reported before ``silent_since``, and end their announced calls."""
        ...
