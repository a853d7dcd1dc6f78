"""Publishers, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.events import PublisherEvent


@dataclass(frozen=True, slots=True)
class LostPublisher:
    """A publisher that went silent without a goodbye, and how many announced calls it took along."""

    boot_id: str
    host: str
    pid: int
    heard_at: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host whose publishers live and have published nothing since ``moved_at``."""

    host: str
    integration: str
    moved_at: datetime


class PublisherPort(Protocol):
    """What publishers say of themselves, and which of them went silent."""

    def hear_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Keep what publishers said of themselves."""
        ...

    def is_live(self, integration: str, *, since: datetime) -> bool:
        """Return whether a publisher of this integration lives and was heard since then."""
        ...

    def silent_hosts(
        self, *, heard_since: datetime, quiet_since: datetime, limit: int, now: datetime
    ) -> list[SilentHost]:
        """Mark at most ``limit`` hosts that live and published nothing since ``quiet_since``, while another did.

        Only hosts of an integration, all of whose publishers are without a backlog; each once, until it publishes.
        """
        ...

    def backlogged(self) -> bool:
        """Tell whether a publisher that lives has events that it could not send yet."""
        ...

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, limit: int, now: datetime
    ) -> list[LostPublisher]:
        """Mark at most ``limit`` publishers lost that were last heard before ``silent_since``.

        Their announced calls end.
        """
        ...
