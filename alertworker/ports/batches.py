"""Batches and counters, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import Protocol


class BatchClaim(Enum):
    """The result of claiming a batch's id."""

    NEW = auto()
    #: The same batch was applied or parked before.
    REPEATED = auto()
    #: Another batch was applied or parked under this id.
    CONFLICT = auto()


class BatchPort(Protocol):
    """The batches that were applied."""

    def claim_batch(
        self, batch_id: str, producer: str, events: int, *, digest: str | None, now: datetime
    ) -> BatchClaim:
        """Insert the batch's id with a digest of its content.

        Without a digest, here or in the row that was inserted before, the same id is the same batch.
        """
        ...

    def first_batch_at(self) -> datetime | None:
        """Return when the first of the batches that are still known was applied, ``None`` without any."""
        ...

    def forget_redeliveries(self, message_id: str) -> None:
        """Forget how often a message came again, because it was applied or parked."""
        ...


class CounterName(StrEnum):
    """The names of counters. Each is counted by a reason, a type or a kind."""

    SUPPRESSED = "muted"  #: suppressed messages, by reason; the value is the one that rows and metrics had before
    MERGED = "merged"  #: messages that another message contains
    DROPPED = "dropped"  #: messages, announcements and canaries that were out of date, withdrawn or forged
    NO_ROUTE = "no_route"  #: alerts without a route to a channel, by type
    NOT_TAKEN = "not_taken"  #: messages that no channel of their route accepts, by type
    DELIVERY_RETRIES = "delivery_retries"  #: failed attempts that were retried, by reason
    SPEND_TRACKED = "spend_tracked"  #: sent messages about the cost of single calls; they are not kept
    DEAD_LETTERS = "dead_letters"  #: by kind
    UNKNOWN_VALUES = "unknown_values"  #: stored values that only a newer version knows
    CLAMPED = "clamped"  #: events whose time was too far in the future
    FAILED_STEPS = "failed_steps"  #: failures of steps of the sweep and of reports, by step
    OTHER_NAMES = "other_names"  #: names in events over HTTP that became "(other)"
    REFUSED_KEYS = "refused_keys"  #: wrong keys over HTTP, and attempts after too many of them
    LATE_ATTEMPTS = "late_attempts"  #: failed attempts that came after the end of their outage
    POSTPONED = "postponed"  #: alerts above a batch's bound, which the next report raises


class CounterPort(Protocol):
    """Counters of what batches bring and of what becomes of it."""

    def count(self, name: CounterName, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or suppressed, with its reason."""
        ...
