"""Retention, as one transaction sees it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol


class RetentionPort(Protocol):
    """Deletes rows that are past their retention."""

    def prune(self, *, before: datetime, limit: int) -> bool:
        """Delete batches, redeliveries, ended calls, ended budgets and windows from before then.

        At most ``limit`` rows of each; return true if more may be left.
        """
        ...

    def prune_records(self, *, before: datetime, limit: int) -> bool:
        """Delete alerts, notifications, dead letters, silences and publishers that were over before then.

        Open alerts and pending notifications stay, and so does an alert as long as one of its notifications.

        At most ``limit`` rows of each; return true if more may be left.
        """
        ...

    def prune_ledger(self, *, before: date) -> bool:
        """Delete some rows of the ledger's months that ended before that day; return true if more may be left."""
        ...
