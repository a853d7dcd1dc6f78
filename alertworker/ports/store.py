"""Where decisions live: one transaction with everything that a batch or a sweep changes, and the lanes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from alertworker.ports.alerts import AlertPort
from alertworker.ports.batches import BatchPort
from alertworker.ports.budgets import BudgetPort
from alertworker.ports.clock import ClockPort
from alertworker.ports.dead_letters import DeadLetterPort
from alertworker.ports.hanging import HangingPort
from alertworker.ports.lanes import LanePort, QueuePort
from alertworker.ports.ledger import LedgerPort
from alertworker.ports.notifications import NotificationPort
from alertworker.ports.outages import OutagePort
from alertworker.ports.publishers import PublisherPort
from alertworker.ports.retention import RetentionPort

T = TypeVar("T")


class Transaction(
    BatchPort,
    LedgerPort,
    PublisherPort,
    HangingPort,
    OutagePort,
    BudgetPort,
    AlertPort,
    NotificationPort,
    DeadLetterPort,
    RetentionPort,
    Protocol,
):
    """One SQL transaction: everything a batch or a sweep changes, or nothing of it."""

    @property
    def clock(self) -> ClockPort:
        """The pipeline's own moments."""
        ...


class Store(Protocol):
    """Where decisions live. Every method raises `StoreUnavailable` when it cannot be asked; that decides nothing."""

    @property
    def lanes(self) -> LanePort:
        """The lanes of the channels."""
        ...

    @property
    def queue(self) -> QueuePort:
        """What waits in the lanes."""
        ...

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Do the work in one transaction, again from the start if the database chose it as a deadlock's victim."""
        ...

    def dry_run(self, work: Callable[[Transaction], T]) -> T:
        """Do the work in one transaction, return its result, and roll back everything it did."""
        ...

    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        """Count that a message came again; return how often it did by now."""
        ...

    def forget_redeliveries(self, message_id: str) -> None:
        """Forget how often a message came again, because it was applied."""
        ...
