"""Batches, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto
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
