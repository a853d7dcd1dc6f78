"""One transaction. Tables are written in one global order, keys sorted, so that workers rarely deadlock."""

from __future__ import annotations

from sqlalchemy import Connection

from alertworker.store.alerts import AlertStatements
from alertworker.store.batches import BatchStatements
from alertworker.store.budgets import BudgetStatements
from alertworker.store.clock import SqlClock
from alertworker.store.delivery.notifications import NotificationStatements
from alertworker.store.hanging import HangingStatements
from alertworker.store.ledger.postings import PostingStatements
from alertworker.store.ledger.time_zone import TimeZoneStatements
from alertworker.store.ledger.user_totals import UserTotalStatements
from alertworker.store.model_outages import ModelOutageStatements
from alertworker.store.outages import OutageStatements
from alertworker.store.publishers import PublisherStatements
from alertworker.store.retention import RetentionStatements


class SqlTransaction(
    BatchStatements,
    RetentionStatements,
    PostingStatements,
    TimeZoneStatements,
    PublisherStatements,
    HangingStatements,
    OutageStatements,
    ModelOutageStatements,
    BudgetStatements,
    UserTotalStatements,
    AlertStatements,
    NotificationStatements,
):
    """One open transaction on SQLite or PostgreSQL, with the statements of every concept."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.clock = SqlClock(connection)
