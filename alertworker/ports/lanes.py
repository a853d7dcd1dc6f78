"""Lanes: the notifications of one channel in their order, and which worker serves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.alerts.message import Message
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.coalescing import Plan, Waiting
from alertworker.delivery.retry import DeliveryError, RetryAt


@dataclass(frozen=True, slots=True)
class Due:
    """A notification to send now. ``body`` was sealed at its first attempt, if there was one."""

    id: str
    message: Message
    body: str | None
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A lane that one worker has. A worker that takes it over after the lease's end has another ``token``."""

    channel: str
    token: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a worker on its lane: attempts that failed in a row before it, and whether it is a probe.

    A ``probe`` attempts one message to find out whether the receiver works again: message after message failed.
    """

    failures: int
    probe: bool


@dataclass(frozen=True, slots=True)
class LaneState:
    """The state of one lane: messages that wait and since when, and since when it fails or is broken.

    ``paused_until`` is what its receiver asked for. ``probe_at`` is when one message is attempted after message after
    message failed. ``busy`` is true if a worker has the lane now.
    """

    channel: str
    waiting: int = 0
    waiting_since: datetime | None = None
    paused_until: datetime | None = None
    probe_at: datetime | None = None
    failing_since: datetime | None = None
    broken_since: datetime | None = None
    busy: bool = False


class LanePort(Protocol):
    """Leases of lanes, and the results of attempts.

    Every method is one short transaction. A `StoreUnavailable` that it raises decides nothing.
    """

    def due_channels(self, *, now: datetime) -> list[str]:
        """Return the channels whose lane is free and has due work."""
        ...

    def states(self, *, now: datetime) -> dict[str, LaneState]:
        """Return the state of each lane that ever had a message."""
        ...

    def lease(self, lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> Turn | None:
        """Take a channel's lane in one statement. Return ``None`` while another worker has it or it must pause.

        A pause because of failures does not apply to urgent messages.
        """
        ...

    def begin(self, bodies: Mapping[str, str], lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> bool:
        """Seal the bodies before an attempt, count it against the lane's pace, and renew the lease.

        From the first attempt on a body never changes. The new lease outlasts the attempt. Return false if this worker
        no longer has the lane.
        """
        ...

    def settle_sent(self, answers: Mapping[str, Answer], lease: Lease, *, longest: float, now: datetime) -> bool:
        """Record that the receiver has these messages. Return true while the channel is still announced as broken.

        The lane pauses for as long as an answer asked for, at most for ``longest`` seconds. The remainder of a message,
        for some of its recipients, becomes a notification of its own. All this also happens if another worker has the
        lane now.
        """
        ...

    def settle_retry(
        self, notification_id: str, lease: Lease, *, error: DeliveryError, verdict: RetryAt, now: datetime
    ) -> datetime:
        """Record when to try again. Return since when every attempt on this channel has failed.

        A failed message does not block the ones behind it. If another message failed before, and none succeeded
        since, the lane pauses, and then tries one of them. A remainder that fails again does not count for the lane.
        If another worker has the lane now, that worker decides, and only the attempt is recorded.
        """
        ...

    def settle_dead(self, notification_id: str, lease: Lease, *, reason: str, answer: str, now: datetime) -> None:
        """Store a notification as a dead letter without further retries, unless it is a test."""
        ...

    def expire(self, lease: Lease, *, before: datetime, answer: str, now: datetime) -> None:
        """Mark the oldest notifications that wait since ``before`` as dead, attempted or not, up to a maximum."""
        ...

    def release(self, lease: Lease, *, now: datetime) -> None:
        """Release the lane."""
        ...


class QueuePort(Protocol):
    """The messages that wait in the lanes. Every method is one short transaction."""

    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        """Return the due notifications of a lane that were never attempted, in the lane's order."""
        ...

    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        """Carry out a plan for the notifications that have not changed since."""
        ...

    def is_due(self, channel: str, *, now: datetime) -> bool:
        """Return whether the lane has a notification to attempt now."""
        ...

    def next_due(self, channel: str, *, limit: int, now: datetime, unattempted: bool = False) -> list[Due]:
        """Return the lane's next notifications in order, with messages of one alert one after the other.

        With ``unattempted`` return only those that were never attempted.
        """
        ...

    def next_attempted(self, channel: str, *, now: datetime) -> list[Due]:
        """Return the attempted notification that is the longest overdue, if there is one."""
        ...
