"""Publishers, announced calls and the line's own moments, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alertworker.events import PublisherEvent, RequestAnnounced


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


class CallPort(Protocol):
    """Publishers, announced calls and the line's own moments."""

    def hear_publishers(self, events: Iterable[PublisherEvent], *, now: datetime) -> None:
        """Keep what publishers said of themselves."""
        ...

    def hears(self, integration: str, *, since: datetime) -> bool:
        """Tell whether a publisher of this integration lives and was heard since then."""
        ...

    def silent_hosts(self, *, heard_since: datetime, quiet_since: datetime, now: datetime) -> list[SilentHost]:
        """Mark the hosts that live and published nothing since ``quiet_since``, while another one never paused.

        Only hosts of an integration, all of whose publishers are without a backlog; each once, until it publishes.
        """
        ...

    def backlogged(self) -> bool:
        """Tell whether a publisher that lives has events that it could not send yet."""
        ...

    def lost_publishers(
        self, *, silent_since: datetime, canary_sent_at: datetime, now: datetime
    ) -> list[LostPublisher]:
        """Mark publishers lost that were last heard before ``silent_since``, and end their announced calls."""
        ...

    def mark_line(self, name: str, at: datetime) -> None:
        """Move a named moment of the line forward, never back."""
        ...

    def claim_moment(self, name: str, at: datetime) -> bool:
        """Move a named moment forward, in one statement; false where it is as late already."""
        ...

    def claim_tick(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Move a named moment to now, if it is as long ago as that; false where another did so within that time."""
        ...

    def line(self, name: str) -> datetime | None:
        """Give a named moment of the line."""
        ...

    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        """Track announced calls; gives the ids of those that are new and have not ended."""
        ...

    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        """Say which alert speaks for these calls."""
        ...

    def end_calls(self, calls: Mapping[str, tuple[str, datetime]]) -> None:
        """Record outcome and end per call id; also for calls whose announcement is still on its way."""
        ...
