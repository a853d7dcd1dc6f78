"""Rows of notifications, attempts and publishers, as they are stored, for commands and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from alertworker.events.system import by_known_reason

#: A publisher that was silent for so many of its heartbeat intervals is not counted as live.
_SILENT_INTERVALS: Final = 5


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """One step of an alert to one channel. ``message`` is JSON and ``body`` what was sealed at the first attempt.

    ``merged_into`` is the notification that replaces this one.
    """

    id: str
    alert_id: str
    step: str
    channel: str
    status: str
    message: str
    body: str | None
    attempts: int
    turn: int
    created_at: datetime
    next_attempt_at: datetime
    settled_at: datetime | None
    reason: str | None
    answer: str | None
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt to send a notification. ``outcome`` is "sent" or a reason, ``answer`` what the receiver said."""

    notification_id: str
    at: datetime
    outcome: str
    answer: str


@dataclass(frozen=True, slots=True)
class IdRow:
    """An id, and the text by which a person distinguishes it from others."""

    id: str
    text: str


class PublisherState(StrEnum):
    """The known state of a publisher's process."""

    LIVE = "live"
    SILENT = "silent"  #: it has missed several heartbeats
    LOST = "lost"  #: it was silent for so long that its calls are given up
    STOPPED = "stopped"  #: it was shut down cleanly


@dataclass(frozen=True, slots=True)
class PublisherRow:
    """One publisher's process, by its last heartbeat.

    ``last_heartbeat_at`` is the publisher's time and ``arrived_at`` ours. ``moved_at`` is when ``published`` last grew.
    """

    boot_id: str
    host: str
    pid: int
    last_heartbeat_at: datetime
    arrived_at: datetime
    integration: str | None
    interval_seconds: int
    backlog: int
    started_at: datetime | None
    inflight: int | None
    counters: Mapping[str, object]
    published: int
    moved_at: datetime
    busy_since: datetime
    silent_at: datetime | None
    stopped_at: datetime | None
    lost_at: datetime | None

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many events the process dropped, by reason."""
        dropped = self.counters.get("dropped")
        return by_known_reason(dropped) if isinstance(dropped, dict) else {}

    def state(self, *, now: datetime) -> PublisherState:
        """Return the state of the process at a moment."""
        if self.stopped_at is not None:
            return PublisherState.STOPPED
        if self.lost_at is not None:
            return PublisherState.LOST
        return running_state(self.arrived_at, self.interval_seconds, now=now)


def running_state(arrived_at: datetime, interval_seconds: int, *, now: datetime) -> PublisherState:
    """Return the state of a running process whose last heartbeat arrived at a time: live or silent."""
    silent = (now - arrived_at).total_seconds() > _SILENT_INTERVALS * interval_seconds
    return PublisherState.SILENT if silent else PublisherState.LIVE


@dataclass(frozen=True, slots=True)
class Occurrences:
    """The occurrences of an alert: those kept by name, in order, and how many there are of each part."""

    members: list[str]
    parts: dict[str, int]
