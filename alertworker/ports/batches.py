"""Batches, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class BatchPort(Protocol):
    """Which batches were applied, and what is counted of what they bring."""

    def claim_batch(self, batch_id: str, producer: str, events: int, *, now: datetime) -> bool:
        """Insert the batch's id; false when it was applied before."""
        ...

    def count(self, name: str, label: str, by: int = 1) -> None:
        """Count something dropped, parked, clamped or muted, with its reason."""
        ...
