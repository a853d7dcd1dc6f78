"""Counters of what batches bring and of what becomes of it, as one transaction sees them."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class CounterName(StrEnum):
    """The names of counters. Each is counted by a reason, a type or a kind."""

    MUTED = "muted"  #: suppressed messages, by what suppresses them
    MERGED = "merged"  #: messages that another message contains
    DROPPED = "dropped"  #: messages and announcements that were out of date, or withdrawn
    NO_ROUTE = "no_route"  #: alerts without a route to a channel, by type
    NOT_TAKEN = "not_taken"  #: messages that no channel of their route accepts, by type
    DELIVERY_RETRIES = "delivery_retries"  #: failed attempts that were retried, by reason
    SPEND_TRACKED = "spend_tracked"  #: sent messages about the cost of single calls; they are not kept
    DEAD_LETTERS = "dead_letters"  #: by kind
    UNKNOWN_VALUES = "unknown_values"  #: stored values that only a newer version knows
    CLAMPED = "clamped"  #: events whose time was too far in the future
    LATE_ATTEMPTS = "late_attempts"  #: failed attempts that came after the end of their outage


class CounterPort(Protocol):
    """Counters of what batches bring and of what becomes of it."""

    def count(self, name: CounterName, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        ...
