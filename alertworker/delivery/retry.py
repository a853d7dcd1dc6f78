"""What follows an attempt to deliver: pure decisions over its outcome."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from alertworker.errors import AlertWorkerError


class Reason(StrEnum):
    """Why an attempt failed; a closed set, used as a metric's label."""

    CLIENT_ERROR = "client_error"  #: the receiver will never take this message
    AUTH_ERROR = "auth_error"  #: the receiver does not accept our credentials
    GONE = "gone"  #: the receiver's address no longer exists (404, 410)
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REDIRECTED = "redirected"  #: never followed: it could lead anywhere
    REFUSED = "refused"  #: the address is one we do not send to
    EXPIRED = "expired"  #: the deadline for retries has passed
    UNKNOWN_CHANNEL = "unknown_channel"  #: the configuration no longer has this channel


#: Reasons that a later attempt may overcome.
TRANSIENT = frozenset({Reason.RATE_LIMITED, Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.UNREACHABLE})
#: Reasons for which every other message fails, too: the channel itself is broken.
LASTING = frozenset({Reason.AUTH_ERROR, Reason.GONE, Reason.REDIRECTED, Reason.REFUSED})


#: The answer of a notification that ``shadow`` kept from its receiver.
SHADOWED: Final = "shadow: not sent"


class DeliveryError(AlertWorkerError):
    """An attempt failed. The text is safe to show: no address, no token, no body.

    ``status`` is the receiver's HTTP status if it answered; ``retry_after`` the seconds it asked us to wait.
    """

    def __init__(
        self, message: str, reason: Reason, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, in seconds, up to a deadline counted from the notification's birth."""

    first: float = 1.0
    factor: float = 2.0
    longest: float = 300.0
    deadline: float = 86_400.0
    #: The longest wait that a receiver's Retry-After may order.
    longest_retry_after: float = 3_600.0

    def wait(self, failures: int, jitter: random.Random) -> timedelta:
        """Return how long to wait after one more failure than these ``failures``."""
        ceiling = min(self.longest, self.first * self.factor ** min(failures, 32))
        return timedelta(seconds=max(self.first / 2, jitter.uniform(0, ceiling)))


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before ``at``. ``counts`` is false if the receiver only asked us to slow down."""

    at: datetime
    counts: bool
    #: Whether the whole lane must wait, not just this message: the receiver asked for it.
    pauses_lane: bool
    #: How many attempts on the lane failed in a row, with this one.
    in_a_row: int = 1
    #: When one message may be attempted as a probe, if another one failed before: then the receiver fails, and not the
    #: message. ``None`` if a message succeeded meanwhile.
    probe_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """Nobody will retry this; it becomes a dead letter."""

    reason: Reason


def after_failure(
    error: DeliveryError,
    *,
    attempts: int,
    in_a_row: int,
    created_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    jitter: random.Random,
) -> RetryAt | Dead:
    """Decide what follows a failed attempt.

    ``attempts`` counts those of this message that failed before and counted, ``in_a_row`` those on its lane that failed
    since one succeeded, whatever the message and the reason.
    """
    if error.reason not in TRANSIENT:
        return Dead(error.reason)
    limited = error.reason is Reason.RATE_LIMITED
    if error.retry_after:
        wait = timedelta(seconds=min(max(error.retry_after, policy.first / 2), policy.longest_retry_after))
    else:
        # A receiver that asks us to slow down, and does not say how much, means the lane.
        wait = policy.wait(in_a_row if limited else attempts, jitter)
    if now + wait > created_at + timedelta(seconds=policy.deadline):
        return Dead(Reason.EXPIRED)
    asked = limited or bool(error.retry_after)
    lane_waits = wait if asked else policy.wait(in_a_row, jitter)
    return RetryAt(
        now + wait,
        counts=not limited,
        pauses_lane=asked,
        in_a_row=in_a_row + 1,
        probe_at=now + lane_waits if in_a_row else None,
    )
