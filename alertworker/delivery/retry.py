"""Retries: the decision after a failed attempt to deliver. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from alertworker.errors import AlertWorkerError


class Reason(StrEnum):
    """The reason for a failed attempt: a closed set, which is also a label of metrics."""

    CLIENT_ERROR = "client_error"  #: the receiver will never accept this message
    AUTH_ERROR = "auth_error"  #: the receiver does not accept our credentials
    GONE = "gone"  #: the receiver's address no longer exists (404, 410)
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REDIRECTED = "redirected"  #: redirects are not followed
    REFUSED = "refused"  #: the address is not allowed
    EXPIRED = "expired"  #: the deadline for retries has passed
    UNKNOWN_CHANNEL = "unknown_channel"  #: the configuration no longer has this channel


#: Reasons that a later attempt may overcome.
TRANSIENT = frozenset({Reason.RATE_LIMITED, Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.UNREACHABLE})
#: Reasons that affect every message: the channel itself is broken.
LASTING = frozenset({Reason.AUTH_ERROR, Reason.GONE, Reason.REDIRECTED, Reason.REFUSED})


#: The answer of a notification that ``shadow`` kept from its receiver.
SHADOWED: Final = "shadow: not sent"


class DeliveryError(AlertWorkerError):
    """An attempt failed. The error is safe to show: it contains no address, token or body.

    ``status`` is the receiver's HTTP status, if it answered. ``retry_after`` is its Retry-After, in seconds.
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
    """Exponential backoff with full jitter, in seconds. The deadline counts from the notification's creation."""

    first: float = 1.0
    factor: float = 2.0
    longest: float = 300.0
    deadline: float = 86_400.0
    #: The maximum wait that a receiver's Retry-After can cause.
    longest_retry_after: float = 3_600.0

    def wait(self, failures: int, jitter: random.Random) -> timedelta:
        """Return how long to wait after a failure. ``failures`` is the number of earlier ones."""
        ceiling = min(self.longest, self.first * self.factor ** min(failures, 32))
        return timedelta(seconds=max(self.first / 2, jitter.uniform(0, ceiling)))


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Retry at ``at`` or later. ``counts`` is false if the receiver only limited the rate."""

    at: datetime
    counts: bool
    #: Whether the whole lane must wait, because the receiver requested it.
    pauses_lane: bool
    #: The number of consecutive failed attempts on the lane, this one included.
    in_a_row: int = 1
    #: When a probe may be sent, if the previous attempt on the lane failed, too: then the receiver is considered down.
    #: ``None`` if the previous attempt succeeded.
    probe_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """No further retry: the notification becomes a dead letter."""

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
    """Return whether and when to retry after a failed attempt.

    ``attempts`` is the number of this message's earlier failures, without rate limits. ``in_a_row`` is the number of
    earlier consecutive failures on its lane, for any message and reason.
    """
    if error.reason not in TRANSIENT:
        return Dead(error.reason)
    limited = error.reason is Reason.RATE_LIMITED
    if error.retry_after:
        wait = timedelta(seconds=min(max(error.retry_after, policy.first / 2), policy.longest_retry_after))
    else:
        # A rate limit without Retry-After concerns the lane, so the lane's failures count.
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
