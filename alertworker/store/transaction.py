"""One transaction. Tables are written in one global order, keys sorted, so that workers rarely deadlock."""

from __future__ import annotations

from sqlalchemy import Connection

from alertworker.ports import Transaction
from alertworker.store.alerts import AlertStatements
from alertworker.store.batches import BatchStatements
from alertworker.store.budgets import BudgetStatements
from alertworker.store.callers import CallerStatements
from alertworker.store.clock import SqlClock
from alertworker.store.credentials import CredentialStatements
from alertworker.store.delivery.notifications import NotificationStatements
from alertworker.store.hanging import HangingStatements
from alertworker.store.inhibitions import InhibitionStatements
from alertworker.store.ledger.aliases import AliasStatements
from alertworker.store.ledger.postings import PostingStatements
from alertworker.store.ledger.time_zone import TimeZoneStatements
from alertworker.store.ledger.user_totals import UserTotalStatements
from alertworker.store.model_outages import ModelOutageStatements
from alertworker.store.occurrences import OccurrenceStatements
from alertworker.store.outages import OutageStatements
from alertworker.store.publishers import PublisherStatements
from alertworker.store.retention import RetentionStatements
from alertworker.store.silences import SilenceStatements
from alertworker.store.upsert import Statements
from alertworker.store.wrong_times import WrongTimesStatements


class SqlTransaction(Statements, Transaction):
    """One open transaction on SQLite or PostgreSQL. It holds the statements of each concept."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.clock = SqlClock(connection)
        self.batches = BatchStatements(connection)
        self.retention = RetentionStatements(connection)
        self.aliases = AliasStatements(connection)
        self.ledger = PostingStatements(connection, self.aliases)
        self.user_totals = UserTotalStatements(connection, self.aliases)
        self.time_zone = TimeZoneStatements(connection)
        self.publishers = PublisherStatements(connection)
        self.hanging = HangingStatements(connection)
        self.callers = CallerStatements(connection)
        self.credentials = CredentialStatements(connection)
        self.outages = OutageStatements(connection, self.callers, self.credentials)
        self.models = ModelOutageStatements(connection)
        self.budgets = BudgetStatements(connection)
        self.inhibitions = InhibitionStatements(connection)
        self.alerts = AlertStatements(connection, self.inhibitions)
        self.occurrences = OccurrenceStatements(connection)
        self.silences = SilenceStatements(connection)
        self.notifications = NotificationStatements(connection)
        self.wrong_times = WrongTimesStatements(connection)
