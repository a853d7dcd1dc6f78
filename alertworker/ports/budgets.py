"""Budgets, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import BudgetState


class BudgetPort(Protocol):
    """The state of each budget."""

    def lock_budgets(self, readings: Mapping[BudgetKey, Reading]) -> dict[BudgetKey, BudgetState]:
        """Return the states of these budgets, locked; a new budget is inserted and locked, but not returned."""
        ...

    def keep_budgets(self, states: Mapping[BudgetKey, BudgetState]) -> None:
        """Store the states of budgets."""
        ...

    def budget(self, key: BudgetKey) -> BudgetState | None:
        """Return the state of one budget, ``None`` if it is not known."""
        ...

    def ended_budgets(self, *, limit: int, now: datetime) -> dict[BudgetKey, BudgetState]:
        """Return budgets whose period has ended and is not closed, locked, at most ``limit``."""
        ...

    def live_budgets(self) -> dict[BudgetKey, BudgetState]:
        """Return the budgets whose period is not closed."""
        ...

    def forget_budgets(self, *, before: datetime, limit: int) -> dict[BudgetKey, BudgetState]:
        """Delete budgets without a period that were last reported before then, at most ``limit``; return them."""
        ...
