"""What one transaction can do. Tables are written in one global order, keys sorted, so that workers rarely deadlock."""

from __future__ import annotations

from alertworker.store.alerts import AlertStatements
from alertworker.store.books import BookStatements
from alertworker.store.budgets import BudgetStatements
from alertworker.store.calls import CallStatements
from alertworker.store.ledger import LedgerStatements
from alertworker.store.notifications import NotificationStatements
from alertworker.store.outages import OutageStatements
from alertworker.store.retention import RetentionStatements
from alertworker.store.user_spend import UserStatements
from alertworker.store.zones import ZoneStatements


class SqlTransaction(
    BookStatements,
    RetentionStatements,
    LedgerStatements,
    ZoneStatements,
    CallStatements,
    OutageStatements,
    BudgetStatements,
    UserStatements,
    AlertStatements,
    NotificationStatements,
):
    """One open transaction on SQLite or PostgreSQL, with the statements of every subject."""
