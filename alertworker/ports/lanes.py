"""Lanes: the notifications of one channel in their order, and who works on them."""

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
    """A notification whose turn it is. ``body`` is what was sealed at its first attempt, if there was one."""

    id: str
    message: Message
    body: str | None
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A lane that one worker has; whoever takes it over after the lease's end has another ``token``."""

    channel: str
    token: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a lane that a worker has: attempts that failed in a row before it, and whether it is but a probe.

    With a ``probe`` one message is tried for all: message after message failed.
    """

    failures: int
    probe: bool


@dataclass(frozen=True, slots=True)
class LaneState:
    """How one lane is: messages that wait and since when; when it may go on; since when it fails or is broken.

    ``paused_until`` is what its receiver asked for, ``probe_at`` when one message is tried for all, since message after
    message failed; ``busy`` says that a worker has it now.
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
    """Every method is one short transaction. A `StoreUnavailable` that it raises decides nothing."""

    def due_channels(self, *, now: datetime) -> list[str]:
        """Name the channels with something due whose lane is free."""
        ...

    def lane_states(self, *, now: datetime) -> dict[str, LaneState]:
        """Give how each lane is that ever had a message."""
        ...

    def lease_lane(self, lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> Turn | None:
        """Take a channel's lane in one statement; ``None`` while another worker has it or it must pause.

        What goes before all that waits goes also while the lane pauses for its failures.
        """
        ...

    def waiting(self, channel: str, *, limit: int, now: datetime) -> list[Waiting]:
        """Give what is due in a lane and was never attempted, in the lane's order."""
        ...

    def merge(self, channel: str, plan: Plan, *, now: datetime) -> None:
        """Carry out a plan, for those notifications that are still as they were."""
        ...

    def next_due(self, channel: str, *, limit: int, now: datetime, untried: bool = False) -> list[Due]:
        """Give the lane's next notifications in order, messages of one alert one after the other.

        With ``untried`` those that were never attempted.
        """
        ...

    def next_tried(self, channel: str, *, now: datetime) -> list[Due]:
        """Give the notification that was attempted before and has waited longest to be so again, if there is one."""
        ...

    def begin(self, bodies: Mapping[str, str], lease: Lease, *, until: datetime, pace: Pace, now: datetime) -> bool:
        """Keep the bodies of these notifications before an attempt, and count it against the lane's pace.

        From the first one on the message is what it is. The lease is renewed, so that it outlasts the attempt; false
        where it is over, or the lane another worker's.
        """
        ...

    def settle_sent(self, answers: Mapping[str, Answer], lease: Lease, *, longest: float, now: datetime) -> bool:
        """Record that the receiver has these; true while the channel is announced as broken, though it is well again.

        The lane pauses for as long as an answer asked for, at most for ``longest`` seconds. What is left of a
        message for some of its recipients becomes a notification of its own.
        """
        ...

    def settle_retry(
        self,
        notification_id: str,
        lease: Lease,
        *,
        error: DeliveryError,
        verdict: RetryAt,
        now: datetime,
    ) -> datetime:
        """Record when to try again; gives since when every attempt on this channel has failed.

        Where other messages fail, too, the lane pauses, and then tries one for all.
        Where the lane is another worker's by now, that one decides; the attempt is recorded all the same.
        """
        ...

    def settle_dead(self, notification_id: str, lease: Lease, *, reason: str, answer: str, now: datetime) -> None:
        """Record that nobody will retry, as a dead letter with its facts; as with `settle_retry`."""
        ...

    def expire(self, lease: Lease, *, before: datetime, answer: str, now: datetime) -> None:
        """Give up what has waited in a lane since ``before``, attempted or not; some of it where it is much."""
        ...

    def release_lane(self, lease: Lease, *, now: datetime) -> None:
        """Give the lane back."""
        ...
