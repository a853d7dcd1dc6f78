"""The store: one transaction with everything that a batch or a sweep changes, and the lanes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from alertworker.ports.alerts import AlertPort
from alertworker.ports.aliases import AliasPort
from alertworker.ports.batches import BatchPort, CounterPort
from alertworker.ports.budgets import BudgetPort
from alertworker.ports.callers import CallerPort
from alertworker.ports.clock import ClockPort
from alertworker.ports.credentials import CredentialPort
from alertworker.ports.dead_letters import DeadLetterPort
from alertworker.ports.hanging import HangingPort
from alertworker.ports.inhibitions import InhibitionPort
from alertworker.ports.lanes import LanePort, QueuePort
from alertworker.ports.model_outages import ModelOutagePort
from alertworker.ports.notifications import NotificationPort
from alertworker.ports.occurrences import OccurrencePort
from alertworker.ports.outages import OutagePort
from alertworker.ports.postings import PostingPort
from alertworker.ports.publishers import PublisherPort
from alertworker.ports.retention import RetentionPort
from alertworker.ports.silences import SilencePort
from alertworker.ports.time_zone import TimeZonePort
from alertworker.ports.user_totals import UserTotalPort
from alertworker.ports.wrong_times import WrongTimesPort

T = TypeVar("T")


class Transaction(CounterPort, DeadLetterPort, Protocol):
    """One SQL transaction with the operations of every concept. It changes everything or nothing."""

    #: The ids of batches.
    batches: BatchPort
    #: The ledger's writing side.
    ledger: PostingPort
    #: The names of entities.
    aliases: AliasPort
    #: The ledger's sums by user and by entity.
    user_totals: UserTotalPort
    #: The time zone that the ledger cuts days in.
    time_zone: TimeZonePort
    #: The processes that publish events.
    publishers: PublisherPort
    #: The calls that are announced.
    hanging: HangingPort
    #: The callers whose calls fail.
    callers: CallerPort
    #: The credentials that providers refuse.
    credentials: CredentialPort
    #: The windows, and the outages of deployments, regions and providers.
    outages: OutagePort
    #: The outages of model groups.
    models: ModelOutagePort
    #: The budgets.
    budgets: BudgetPort
    #: The alerts.
    alerts: AlertPort
    #: The occurrences of alerts.
    occurrences: OccurrencePort
    #: The silences.
    silences: SilencePort
    #: The conditions that may suppress other alerts.
    inhibitions: InhibitionPort
    #: The notifications.
    notifications: NotificationPort
    #: The deletion of old rows.
    retention: RetentionPort
    #: The pipeline's own moments.
    clock: ClockPort
    #: The times that a host with a wrong clock has stored.
    wrong_times: WrongTimesPort


class Store(Protocol):
    """The store. Every method raises `StoreUnavailable` if the database does not answer; that decides nothing."""

    #: The lanes of the channels.
    lanes: LanePort
    #: The messages that wait in the lanes.
    queue: QueuePort

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of the work, done in one transaction and from the start again after a deadlock."""
        ...

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of the work, which only reads."""
        ...

    def read_first(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of the work as `run` does. The work is expected to find nothing to write.

        So it takes no lock in the usual case, but may be done twice.
        """
        ...

    def dry_run(self, work: Callable[[Transaction], T]) -> T:
        """Return the result of the work and roll back everything that it did."""
        ...

    def check_writes(self) -> None:
        """Raise `StoreUnavailable` if the database cannot be written, also if it answers queries.

        Nothing is changed. A lock that another transaction holds is waited for only briefly.
        """
        ...

    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        """Count that a message came again; return how often it did by now."""
        ...

    def forget_redeliveries(self, message_id: str) -> None:
        """Forget how often a message came again, because it was applied."""
        ...
