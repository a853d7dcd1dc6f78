"""Batches and counters, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class BatchPort(Protocol):
    """The batches that were applied."""

    def claim_batch(self, batch_id: str, producer: str, events: int, *, now: datetime) -> bool:
        """Insert the batch's id; return false if it was applied before."""
        ...


class CounterPort(Protocol):
    """Counters of what batches bring and of what becomes of it."""

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        ...
