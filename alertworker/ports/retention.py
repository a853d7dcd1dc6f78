"""Retention, as one transaction sees it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol


class RetentionPort(Protocol):
    """Deletes rows that are past their retention."""

    def prune(self, *, before: datetime, limit: int) -> bool:
        """Forget batches that were applied or came again, ended calls and budgets, and windows, all from before then.

        At most ``limit`` rows of each; true where that may not have been all.
        """
        ...

    def prune_records(self, *, before: datetime, limit: int) -> bool:
        """Forget alerts, notifications, dead letters, silences and publishers that were over before that moment.

        At most ``limit`` rows of each; true where that may not have been all.
        """
        ...

    def prune_ledger(self, *, before: date) -> bool:
        """Forget a piece of the ledger's months that ended before that day; true where that may not have been all."""
        ...
