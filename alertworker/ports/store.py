"""The store: one transaction with everything that a batch or a sweep changes, and the lanes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from alertworker.ports.alerts import AlertPort
from alertworker.ports.batches import BatchPort
from alertworker.ports.budgets import BudgetPort
from alertworker.ports.callers import CallerPort
from alertworker.ports.clock import ClockPort
from alertworker.ports.counters import CounterPort
from alertworker.ports.credentials import CredentialPort
from alertworker.ports.dead_letters import DeadLetterPort
from alertworker.ports.hanging import HangingPort
from alertworker.ports.inhibitions import InhibitionPort
from alertworker.ports.lanes import LanePort, QueuePort
from alertworker.ports.ledger import LedgerPort
from alertworker.ports.model_outages import ModelOutagePort
from alertworker.ports.notifications import NotificationPort
from alertworker.ports.outages import OutagePort
from alertworker.ports.publishers import PublisherPort
from alertworker.ports.retention import RetentionPort
from alertworker.ports.silences import SilencePort

T = TypeVar("T")


class Transaction(
    BatchPort,
    CounterPort,
    LedgerPort,
    PublisherPort,
    HangingPort,
    CallerPort,
    CredentialPort,
    OutagePort,
    ModelOutagePort,
    BudgetPort,
    AlertPort,
    SilencePort,
    InhibitionPort,
    NotificationPort,
    DeadLetterPort,
    RetentionPort,
    Protocol,
):
    """One SQL transaction with the operations of every concept. It changes everything or nothing."""

    @property
    def clock(self) -> ClockPort:
        """The pipeline's own moments."""
        ...


class Store(Protocol):
    """The store. Every method raises `StoreUnavailable` if the database does not answer; that decides nothing."""

    @property
    def lanes(self) -> LanePort:
        """The lanes of the channels."""
        ...

    @property
    def queue(self) -> QueuePort:
        """The messages that wait in the lanes."""
        ...

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of the work, done in one transaction and from the start again after a deadlock."""
        ...

    def dry_run(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of the work and roll back everything that it did."""
        ...

    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        """Count that a message came again; return how often it did by now."""
        ...

    def forget_redeliveries(self, message_id: str) -> None:
        """Forget how often a message came again, because it was applied."""
        ...
